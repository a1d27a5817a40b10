import type { Child, Usage } from "./child.ts";

/** Delay before a dead process restarts: Nomad's `restart { delay }` and its reaction time. */
const restartDelayMs = 400;

/** A process under a supervisor that restarts it when it dies. */
export class Supervised {
  readonly #launch: () => Child;
  #child: Child | undefined;
  #watched = false;
  /** Starts so far. */
  starts = 0;
  /** When the process ended, Unix ms. */
  readonly deaths: number[] = [];

  constructor(launch: () => Child) {
    this.#launch = launch;
  }

  /** Starts the process and restarts it whenever it dies. */
  start(): void {
    this.#watched = true;
    this.#startOnce();
  }

  /** Sends SIGKILL; resolves when the process is dead. The supervisor restarts it. */
  async kill(): Promise<void> {
    const child = this.#child;
    child?.kill("SIGKILL");
    await child?.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Stops the process without a restart. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#watched = false;
    this.#child?.kill(signal);
    await this.#child?.exited;
  }

  /** PID of the current process; undefined before the first start. */
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
      this.deaths.push(Date.now());
      if (!this.#watched || this.#child !== child) return;
      await Bun.sleep(restartDelayMs);
      if (this.#watched) this.#startOnce();
    });
  }
}
