/** A limiter's decision about one request. */
export type WindowPermit = { granted: boolean; remaining: number; resetMs: number };

export type WindowLimiter = {
  /** Counts a request of the caller if the limit allows it. */
  take(caller: string, limit: number): WindowPermit;
  /** Decides without counting. */
  peek(caller: string, limit: number): WindowPermit;
};

type Window = { start: number; current: number; before: number };

/**
 * A sliding-window rate limiter in this process's memory, with the algorithm of lib/redis/take_requests.lua. It evicts
 * the least recently counted caller above `maxCallers`.
 */
export function createWindowLimiter({
  windowMs,
  maxCallers = 10_000,
  now = () => performance.now(),
}: {
  windowMs: number;
  maxCallers?: number;
  now?: () => number;
}): WindowLimiter {
  const windows = new Map<string, Window>();

  const look = (caller: string, limit: number): { window: Window; free: number; at: number } => {
    const at = now();
    const start = at - (at % windowMs);
    const last = windows.get(caller);
    const window =
      last?.start === start
        ? last
        : { start, current: 0, before: last !== undefined && last.start === start - windowMs ? last.current : 0 };
    const covered = 1 - (at - start) / windowMs;
    return { window, at, free: Math.max(0, Math.floor(limit - window.current - window.before * covered)) };
  };
  const permit = ({ start, current }: Window, at: number, granted: boolean, remaining: number): WindowPermit => ({
    granted,
    remaining,
    resetMs: start + windowMs - at + (current > 0 ? windowMs : 0),
  });

  return {
    peek: (caller, limit) => {
      const { window, free, at } = look(caller, limit);
      return permit(window, at, free > 0, free);
    },
    take: (caller, limit) => {
      const { window, free, at } = look(caller, limit);
      if (free > 0) window.current += 1;
      windows.delete(caller);
      windows.set(caller, window);
      if (windows.size > maxCallers) windows.delete(windows.keys().next().value!);
      return permit(window, at, free > 0, Math.max(0, free - 1));
    },
  };
}
