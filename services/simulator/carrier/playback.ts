/**
 * Plays audio to the caller in order and at real pace, however fast it arrives. Passes a mark once all audio that was
 * queued before it has been heard.
 */
export class Playback {
  readonly #onMark: (name: string) => void;
  #endAt = 0;
  #marks: { name: string; at: number }[] = [];
  /** Duration of all audio queued and not cleared, ms. */
  #heardMs = 0;

  constructor(onMark: (name: string) => void) {
    this.#onMark = onMark;
  }

  /** Queues audio and returns the time at which its playback starts. */
  queue(ms: number, now: number): number {
    const at = Math.max(now, this.#endAt);
    this.#endAt = at + ms;
    this.#heardMs += ms;
    return at;
  }

  mark(name: string, now: number): void {
    this.#marks.push({ name, at: Math.max(now, this.#endAt) });
  }

  /** Drops audio that was not heard yet, and passes all marks at once. */
  clear(now: number): void {
    this.#heardMs -= Math.max(0, this.#endAt - now);
    this.#endAt = now;
    for (const mark of this.#marks) mark.at = now;
    this.tick(now);
  }

  tick(now: number): void {
    while (this.#marks.length > 0 && this.#marks[0]!.at <= now) this.#onMark(this.#marks.shift()!.name);
  }

  heardMs(now: number): number {
    return Math.round(this.#heardMs - Math.max(0, this.#endAt - now));
  }
}
