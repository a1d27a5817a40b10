/** Milliseconds for which a loop over input may block the event loop. */
const turnMs = 5;

/** Resolves in the next turn of the event loop, so that other work runs first. */
export function yieldToLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Yields to the event loop in loops over input. Call the function once an item: it returns a promise once the budget is
 * used up, and undefined before that, which costs no microtask. Await the promise so that other requests run.
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
