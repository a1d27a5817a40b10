/** Milliseconds that a loop over input may hold the event loop. */
const turnMs = 5;

/**
 * For loops over input: call it once an item. Returns a promise when the loop's turn is over; await it, so that other
 * requests run in between. Returns undefined while the turn lasts, which costs no microtask.
 *
 * @example
 * const turn = createLoopBudget();
 * for (const row of rows) {
 *   const over = turn();
 *   if (over) await over;
 *   …
 * }
 */
export function createLoopBudget(budgetMs = turnMs): () => Promise<void> | undefined {
  let endsAt = performance.now() + budgetMs;
  return () => {
    if (performance.now() < endsAt) return undefined;
    return new Promise<void>((resolve) => {
      setImmediate(() => {
        endsAt = performance.now() + budgetMs;
        resolve();
      });
    });
  };
}
