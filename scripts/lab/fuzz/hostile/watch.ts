import type { RigProcess } from "../../rig/services.ts";
import { kindOf } from "./budgets.ts";
import type { Budgets } from "./budgets.ts";
import { bytesUnder, isAlive, memoryMbOf, peakMbOf, treeOf } from "../../rig/proc.ts";

/** Sampling interval, ms. */
const everyMs = 300;
/** A process whose metrics time out is killed: one request blocks its loop, maybe for hours. */
const scrapeTimeoutMs = 30_000;

export type WatchOptions = {
  processes: readonly RigProcess[];
  budgets: Budgets;
  /** Folders whose bytes count, with the process that may hold files there without a name. */
  folders: readonly { path: string; owner?: string }[];
};

/** Observations since the last call of `take`. */
export type Seen = {
  deaths: string[];
  /** Processes that exceeded their memory budget. */
  overBudget: { name: string; mb: number; budgetMb: number }[];
  diskMb: number;
};

/** Samples every process from outside: alive, memory, disk use. */
export function watchProcesses({ processes, budgets, folders }: WatchOptions) {
  const known = new Map(processes.map(({ name, pid }) => [name, pid()]));
  const rssMbMax: Record<string, number> = {};
  let diskMbMax = 0;
  let seen: Seen = { deaths: [], overBudget: [], diskMb: 0 };

  const lookAt = ({ name, pid }: RigProcess): void => {
    const before = known.get(name);
    const now = pid();
    known.set(name, now);
    if (before !== undefined && (before !== now || !isAlive(before))) {
      // Reported once: a restarted process has another pid.
      if (before === now) known.set(name, undefined);
      seen.deaths.push(name);
      return;
    }
    if (now === undefined) return;
    const mb = Math.max(memoryMbOf(treeOf(now)), peakMbOf(now));
    rssMbMax[name] = Math.max(rssMbMax[name] ?? 0, Math.round(mb));
    const budgetMb = budgets.get(kindOf(name));
    if (budgetMb === undefined || mb <= budgetMb) return;
    if (!seen.overBudget.some((other) => other.name === name))
      seen.overBudget.push({ name, mb: Math.round(mb), budgetMb });
    // As the kernel does at a task's limit; a kill also resets the peak.
    process.kill(now, "SIGKILL");
  };

  const look = (): void => {
    for (const one of processes) lookAt(one);
    const bytes = folders.reduce((sum, { path, owner }) => {
      const pid = owner === undefined ? undefined : known.get(owner);
      return sum + bytesUnder(path, pid === undefined ? [] : treeOf(pid));
    }, 0);
    seen.diskMb = Math.max(seen.diskMb, bytes / 2 ** 20);
    diskMbMax = Math.max(diskMbMax, seen.diskMb);
  };
  const timer = setInterval(look, everyMs);

  return {
    rssMbMax,
    diskMbMax: () => Math.round(diskMbMax * 10) / 10,
    /** Observations since the last call, including this moment. */
    take: (): Seen => {
      look();
      const taken = seen;
      seen = { deaths: [], overBudget: [], diskMb: 0 };
      return taken;
    },
    /** The longest block of each service's event loop since the last call, ms. */
    takeBlocks: async (): Promise<Map<string, number>> => {
      // The simulator stands in for WhatsApp and the carrier: it is part of the attack.
      const services = processes.filter(({ name, opsUrl }) => opsUrl !== undefined && name !== "simulator");
      const blocks = await Promise.all(
        services.map(async (service) => [service.name, await blockOf(service)] as const),
      );
      return new Map(blocks);
    },
    stop: () => clearInterval(timer),
  };
}

export type Watch = ReturnType<typeof watchProcesses>;

async function blockOf({ opsUrl, pid }: RigProcess): Promise<number> {
  try {
    const answer = await fetch(`${opsUrl}/metrics`, { signal: AbortSignal.timeout(scrapeTimeoutMs), keepalive: false });
    const text = await answer.text();
    return Math.round(Number(/^prosaas_event_loop_block_seconds(?:\{.*\})? (\S+)$/m.exec(text)?.[1] ?? 0) * 1000);
  } catch (error) {
    // A restarting process counts as a death elsewhere.
    if ((error as Error).name !== "TimeoutError") return 0;
    const blocked = pid();
    if (blocked !== undefined) process.kill(blocked, "SIGKILL");
    return scrapeTimeoutMs;
  }
}
