/** A fifth of a frame, so that streams that started at different times are not sent in one burst. */
const tickMs = 4;

/** One timer for all streams. A timer for each would cost more than sending the frames. */
export class Pacer {
  readonly #tasks = new Set<(now: number) => void>();
  #timer: Timer | undefined;

  /** Calls `task` at every tick until the returned function is called. */
  add(task: (now: number) => void): () => void {
    this.#tasks.add(task);
    this.#timer ??= setInterval(() => {
      const now = performance.now();
      for (const due of this.#tasks) due(now);
    }, tickMs);
    return () => {
      this.#tasks.delete(task);
      if (this.#tasks.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }
}
