/** Runs `work` and returns the CPU time of this thread in ms, which excludes other processes and threads. */
export function cpuMs(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const after = process.threadCpuUsage();
  return (after.user - before.user + after.system - before.system) / 1_000;
}
