/** The CPU time of this thread so far, ms. It excludes other processes and threads. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Runs `work` and returns the CPU time that it took this thread, ms. */
export function cpuMs(work: () => void): number {
  const before = threadCpuMs();
  work();
  return threadCpuMs() - before;
}
