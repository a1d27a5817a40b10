export type Debounced = { call(): void; cancel(): void };

/**
 * Runs `action` once, `quietMs` after the last call and at most `maxMs` after the first, so that a page also updates
 * while events never pause.
 */
export function debounce(action: () => void, quietMs: number, maxMs: number): Debounced {
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
          action();
        },
        Math.max(0, Math.min(quietMs, deadline - now)),
      );
    },
    cancel,
  };
}
