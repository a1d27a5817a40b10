import { openSync, readSync } from "node:fs";

/** Sampling interval. Shorter blocks go unnoticed. */
const intervalMs = 20;

export type EventLoopMaxima = {
  /** How late a timer fired. */
  lagMs: number;
  /**
   * CPU time of one turn of the loop. Excludes time in which other processes have the CPU and time spent waiting for
   * helper threads, so that a busy machine does not change the figure.
   */
  blockMs: number;
};

export type EventLoopWatch = {
  /** Returns the largest values since the last call, and resets them. */
  take(): EventLoopMaxima;
  stop(): void;
};

/** Measures how long the event loop of this process is blocked. Its timer does not keep the process alive. */
export function watchEventLoop(): EventLoopWatch {
  const computedMs = createThreadClock();
  let lastAt = performance.now();
  let lastComputedMs = computedMs();
  let maxima: EventLoopMaxima = { lagMs: 0, blockMs: 0 };
  const sample = () => {
    const [now, computed] = [performance.now(), computedMs()];
    const lagMs = Math.max(0, now - lastAt - intervalMs);
    maxima = {
      lagMs: Math.max(maxima.lagMs, lagMs),
      blockMs: Math.max(maxima.blockMs, Math.min(lagMs, computed - lastComputedMs)),
    };
    [lastAt, lastComputedMs] = [now, computed];
  };
  const timer = setInterval(sample, intervalMs);
  timer.unref();
  return {
    take: () => {
      // Includes a block in the current turn, which the timer has not sampled yet.
      sample();
      const taken = maxima;
      maxima = { lagMs: 0, blockMs: 0 };
      return taken;
    },
    stop: () => clearInterval(timer),
  };
}

/** Returns a clock of the main thread's CPU time in ms; of wall-clock time if the kernel does not provide it. */
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
