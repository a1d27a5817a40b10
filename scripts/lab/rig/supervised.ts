import type { Child, Usage } from "./child.ts";

/** What Nomad waits before it starts a task again that died: `restart { delay }` and its own reaction. */
const restartDelayMs = 400;

/** A process under a supervisor that starts it again when it dies. */
export class Supervised {
  readonly #launch: () => Child;
  #child: Child | undefined;
  #watched = false;
  /** Starts so far. */
  starts = 0;

  constructor(launch: () => Child) {
    this.#launch = launch;
  }

  /** Starts it and, from now on, starts it again whenever it dies. */
  start(): void {
    this.#watched = true;
    this.#startOnce();
  }

  /** kill -9; resolves when it is dead. The supervisor starts it again. */
  async kill(): Promise<void> {
    const child = this.#child;
    child?.kill("SIGKILL");
    await child?.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Stops it for good, in order. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#watched = false;
    this.#child?.kill(signal);
    await this.#child?.exited;
  }

  /** Of the process that runs now; undefined before the first start. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  usage(): Usage {
    return this.#child?.usage() ?? { cpuMs: 0, rssMb: 0 };
  }

  log(): string {
    return this.#child?.log() ?? "";
  }

  #startOnce(): void {
    this.starts += 1;
    const child = this.#launch();
    this.#child = child;
    void child.exited.then(async () => {
      if (!this.#watched || this.#child !== child) return;
      await Bun.sleep(restartDelayMs);
      if (this.#watched) this.#startOnce();
    });
  }
}
