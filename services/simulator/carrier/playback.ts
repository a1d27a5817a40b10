/**
 * What the caller hears: audio is played in the order it came, at real pace, however fast it came. A mark is passed
 * when what was queued before it has been heard.
 */
export class Playback {
  readonly #onMark: (name: string) => void;
  #endAt = 0;
  #marks: { name: string; at: number }[] = [];
  /** Audio that was played to its end, ms. */
  #heardMs = 0;

  constructor(onMark: (name: string) => void) {
    this.#onMark = onMark;
  }

  /** Queues audio; gives the moment at which it begins to be heard. */
  queue(ms: number, now: number): number {
    const at = Math.max(now, this.#endAt);
    this.#endAt = at + ms;
    this.#heardMs += ms;
    return at;
  }

  mark(name: string, now: number): void {
    this.#marks.push({ name, at: Math.max(now, this.#endAt) });
  }

  /** Forgets what was queued and not heard yet; marks behind it are passed at once. */
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
