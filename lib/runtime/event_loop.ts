import { openSync, readSync } from "node:fs";

/** A turn of the loop that takes longer than this is seen. */
const intervalMs = 20;

export type EventLoopWatch = {
  /**
   * The longest block since the last call, in ms: how late a timer fired, without the time in which the thread was
   * runnable and waited for a CPU. What remains is work or I/O of this process.
   */
  takeMaxMs(): number;
  stop(): void;
};

/** Measures how long the event loop of this process is blocked. Keeps no process alive. */
export function watchEventLoop(): EventLoopWatch {
  const waitedMs = createRunQueueClock();
  let lastAt = performance.now();
  let lastWaitedMs = waitedMs();
  let maxMs = 0;
  const look = () => {
    const [now, waited] = [performance.now(), waitedMs()];
    maxMs = Math.max(maxMs, now - lastAt - intervalMs - (waited - lastWaitedMs));
    [lastAt, lastWaitedMs] = [now, waited];
  };
  const timer = setInterval(look, intervalMs);
  timer.unref();
  return {
    takeMaxMs: () => {
      // A block that ends in this very turn was not seen by the timer yet.
      look();
      const taken = maxMs;
      maxMs = 0;
      return taken;
    },
    stop: () => clearInterval(timer),
  };
}

/** How long the main thread has waited for a CPU so far, in ms; always 0 where the kernel does not say. */
function createRunQueueClock(): () => number {
  let file: number;
  try {
    file = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  } catch {
    return () => 0;
  }
  const buffer = Buffer.alloc(64);
  return () => {
    // Three numbers: time on a CPU, time on a run queue (both in ns), time slices.
    const text = buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0));
    return Number(text.split(" ")[1]) / 1e6 || 0;
  };
}
