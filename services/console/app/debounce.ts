export type Debounced = { call(): void; cancel(): void };

/**
 * Runs `act` once `quietMs` after the last call, and at the latest `maxMs` after the first: a page updates also while
 * events arrive without a pause.
 */
export function debounce(act: () => void, quietMs: number, maxMs: number): Debounced {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let deadline = 0;
  const cancel = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    call: () => {
      const now = performance.now();
      if (timer === undefined) deadline = now + maxMs;
      clearTimeout(timer);
      timer = setTimeout(
        () => {
          timer = undefined;
          act();
        },
        Math.max(0, Math.min(quietMs, deadline - now)),
      );
    },
    cancel,
  };
}
