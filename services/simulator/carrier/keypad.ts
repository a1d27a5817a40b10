import { sleep } from "../../../lib/core/time.ts";

/** Between two keys that are pressed into a stream. */
const keyIntervalMs = 500;

/** The keys that the caller presses. A key waits until a stream or a menu takes it. */
export class Keypad {
  readonly #over: AbortSignal;
  readonly #digits: string[];
  #waiters: (() => void)[] = [];

  constructor(digits: string, over: AbortSignal) {
    this.#digits = digits.split("");
    this.#over = over;
  }

  press(digits: string): void {
    this.#digits.push(...digits.split(""));
  }

  /** Wakes the menus that wait for a key. */
  wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** The next key; null if none is pressed until then (performance.now() time). */
  async next(until: number): Promise<string | null> {
    if (this.#digits.length === 0 && performance.now() < until) {
      const pressed = new Promise<void>((resolve) => void this.#waiters.push(resolve));
      await Promise.race([pressed, sleep(until - performance.now(), this.#over)]);
    }
    return this.#digits.shift() ?? null;
  }

  /** Presses all keys into a stream while it is live. A key pressed between two streams waits for the next one. */
  async pressInto(stream: { press(digit: string): boolean }, isLive: () => boolean): Promise<void> {
    while (isLive() && this.#digits[0] !== undefined && stream.press(this.#digits[0])) {
      this.#digits.shift();
      await sleep(keyIntervalMs, this.#over).catch(() => {});
    }
  }
}
