import { sleep } from "../../../../lib/core/time.ts";
import { until } from "../../../../lib/testing/until.ts";
import { createPeople } from "../calls/people.ts";
import type { People } from "../calls/people.ts";
import type { Stage } from "../scale/stage.ts";

/** A caller talks this long between two keys. */
const talkMs = 15_000;
/** A caller who got no answer dials again after this. */
const redialMs = 1_000;

/** Gives a new business a number and returns callers of it. */
export async function openCallers(stage: Stage, count: number): Promise<Callers> {
  const number = `+9993${String(Date.now() % 1e8).padStart(8, "0")}`;
  const { id } = await stage.api<{ id: string }>("POST", "/v1/businesses", { name: "Calls during chaos" });
  await stage.api("PUT", `/v1/businesses/${id}/phone_numbers/${encodeURIComponent(number)}`);
  return new Callers(
    createPeople((method, path, body) => stage.simulator.ask(method, path, body), number),
    count,
    stage.say,
  );
}

/**
 * Callers who talk to the menu throughout a run, one call after the other: each presses a key, talks, presses a second
 * key, which the menu has to hear behind the first, and hangs up.
 */
export class Callers {
  /** Calls that were answered. */
  answered = 0;
  /** Calls that the platform ended, or whose menu did not hear a key. */
  lost = 0;
  /** Calls that were not answered. */
  refused = 0;
  silenceMsMax = 0;
  readonly #people: People;
  readonly #count: number;
  readonly #say: (line: string) => void;
  readonly #stop = new AbortController();
  #running: Promise<void>[] = [];
  #isPaused = false;
  #onLine = 0;

  constructor(people: People, count: number, say: (line: string) => void) {
    this.#people = people;
    this.#count = count;
    this.#say = say;
  }

  start(): void {
    this.#running = Array.from({ length: this.#count }, () => this.#dialRepeatedly());
  }

  /** Stops new calls; resolves once every caller has hung up. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    await until(() => this.#onLine === 0, { deadlineMs: 180_000, everyMs: 200, what: "the callers to hang up" });
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Ends once every caller has hung up. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #dialRepeatedly(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (!this.#isPaused) {
        this.#onLine += 1;
        await this.#call().finally(() => (this.#onLine -= 1));
      }
      await sleep(redialMs);
    }
  }

  async #call(): Promise<void> {
    const people = this.#people;
    const sids = await people.call(1).catch((error: unknown) => {
      this.refused += 1;
      this.#say(`a call was not answered: ${String(error)}`);
      return [];
    });
    if (sids.length === 0) return;
    this.answered += 1;
    const unheard = await people.press(sids, "1", "");
    await sleep(talkMs);
    unheard.push(...(await people.press(sids, "2", "1+")));
    const ended = await people.gone(sids);
    this.silenceMsMax = Math.max(this.silenceMsMax, ...(await people.silences(sids)));
    if (unheard.length + ended.length > 0) {
      this.lost += 1;
      const how = ended.length > 0 ? "was ended by the platform" : "was not heard";
      this.#say(`call ${sids[0]!} ${how}: ${await people.history(sids[0]!)}`);
    }
    await people.hangUp(sids);
  }
}
