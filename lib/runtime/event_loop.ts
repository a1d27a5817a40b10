import { openSync, readSync } from "node:fs";

/** Time between two looks. Shorter blocks are not seen. */
const intervalMs = 20;

export type EventLoopMaxima = {
  /** How late a timer fired. */
  lagMs: number;
  /**
   * How long one turn of the loop computed. Does not grow while other processes have the CPU, or helper threads that
   * this one waits for, so that it says the same on a busy machine.
   */
  blockMs: number;
};

export type EventLoopWatch = {
  /** The largest values since the last call. */
  take(): EventLoopMaxima;
  stop(): void;
};

/** Measures how long the event loop of this process is blocked. Keeps no process alive. */
export function watchEventLoop(): EventLoopWatch {
  const computedMs = createThreadClock();
  let lastAt = performance.now();
  let lastComputedMs = computedMs();
  let maxima: EventLoopMaxima = { lagMs: 0, blockMs: 0 };
  const look = () => {
    const [now, computed] = [performance.now(), computedMs()];
    const lagMs = Math.max(0, now - lastAt - intervalMs);
    maxima = {
      lagMs: Math.max(maxima.lagMs, lagMs),
      blockMs: Math.max(maxima.blockMs, Math.min(lagMs, computed - lastComputedMs)),
    };
    [lastAt, lastComputedMs] = [now, computed];
  };
  const timer = setInterval(look, intervalMs);
  timer.unref();
  return {
    take: () => {
      // The timer has not seen a block that ends in this very turn.
      look();
      const taken = maxima;
      maxima = { lagMs: 0, blockMs: 0 };
      return taken;
    },
    stop: () => clearInterval(timer),
  };
}

/** CPU time of the main thread so far, in ms; the time that passes if the kernel does not provide it. */
function createThreadClock(): () => number {
  let file: number;
  try {
    file = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  } catch {
    return () => performance.now();
  }
  const buffer = Buffer.alloc(64);
  return () => {
    // Time on a CPU and on a run queue, both in ns, and the number of time slices.
    const text = buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0));
    return Number(text.split(" ", 1)[0]) / 1e6;
  };
}
