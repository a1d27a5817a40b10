import { readdirSync, readFileSync } from "node:fs";
import { attempt } from "./proc.ts";

/** Sampling interval, ms: a slow message takes about as long. */
const everyMs = 200;

/** CPU time that a process used, and for which its threads waited for a free CPU, in ms. */
export type CpuUse = { usedMs: number; waitedMs: number };
export type CpuUses = Record<string, CpuUse>;

/** Processes that count as one. */
export type ProcessGroup = { name: string; pids(): readonly number[] };

/** Called for each process at its first sample. */
type OnFirst = (group: string, pid: number) => void;

type Sample = { at: number; uses: CpuUses };

/** Samples the CPU time of groups of processes, and of everything else on the machine. */
export function sampleCpu(groups: readonly ProcessGroup[], onFirst: OnFirst = () => {}) {
  const samples: Sample[] = [];
  const totals: CpuUses = {};
  let known = new Map<number, CpuUse>();

  const look = (): void => {
    const now = new Map<number, CpuUse>();
    for (const { name, pids } of groups) {
      const total = (totals[name] ??= { usedMs: 0, waitedMs: 0 });
      for (const pid of pids()) {
        if (!known.has(pid)) onFirst(name, pid);
        const use = cpuOf(pid);
        const before = known.get(pid) ?? { usedMs: 0, waitedMs: 0 };
        now.set(pid, use);
        // A thread that ended takes its time with it.
        total.usedMs += Math.max(0, use.usedMs - before.usedMs);
        total.waitedMs += Math.max(0, use.waitedMs - before.waitedMs);
      }
    }
    known = now;
    const used = Object.values(totals).reduce((sum, { usedMs }) => sum + usedMs, 0);
    samples.push({
      at: Date.now(),
      uses: { ...structuredClone(totals), others: { usedMs: machineMs() - used, waitedMs: 0 } },
    });
  };
  look();
  const timer = setInterval(look, everyMs);

  return {
    /** CPU time by process in the samples around a window (Date.now()), and their length. */
    between: (from: number, to: number): { ms: number; uses: CpuUses } => {
      const first = samples.findLast(({ at }) => at <= from) ?? samples[0]!;
      const last = samples.find(({ at }) => at >= to) ?? samples.at(-1)!;
      const uses = Object.entries(last.uses).map(([name, { usedMs, waitedMs }]) => {
        const before = first.uses[name] ?? { usedMs: 0, waitedMs: 0 };
        return [name, { usedMs: usedMs - before.usedMs, waitedMs: waitedMs - before.waitedMs }] as const;
      });
      return { ms: last.at - first.at, uses: Object.fromEntries(uses) };
    },
    stop: () => clearInterval(timer),
  };
}

export type CpuSamples = ReturnType<typeof sampleCpu>;

/** Time of all threads of a process, as the kernel's scheduler counts it. */
function cpuOf(pid: number): CpuUse {
  let [usedNs, waitedNs] = [0, 0];
  for (const task of attempt(() => readdirSync(`/proc/${pid}/task`), [])) {
    const text = attempt(() => readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1"), "");
    const [used = 0, waited = 0] = text.split(" ").map(Number);
    usedNs += used;
    waitedNs += waited;
  }
  return { usedMs: usedNs / 1e6, waitedMs: waitedNs / 1e6 };
}

/** CPU time of the whole machine, interrupts included; in ticks of 10 ms (USER_HZ). */
function machineMs(): number {
  const line = attempt(() => readFileSync("/proc/stat", "latin1"), "").split("\n", 1)[0] ?? "";
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/ +/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) * 10;
}
