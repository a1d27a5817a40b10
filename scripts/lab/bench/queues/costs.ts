import { readFileSync } from "node:fs";
import { sampleCpu } from "../../rig/cpu.ts";
import { treeOf } from "../../rig/proc.ts";
import type { Platform } from "../../rig/platform.ts";

/** Costs of a message, from the API to its delivery receipt. */
export type Costs = {
  /** CPU time of the processes of each kind, ms. */
  cpuMs: Record<string, number>;
  /** Write-ahead log of Postgres, KB. */
  walKb: number;
  /** Growth of the database with its indexes, KB. */
  tableKb: number;
  /** Bytes between all processes of this machine, KB: each hop counts once. Other traffic of the machine counts too. */
  networkKb: number;
};

/** Measures `work`, which returns the number of its messages. */
export async function measureCosts(platform: Platform, work: () => Promise<number>): Promise<Costs> {
  const kinds = Map.groupBy(platform.processes, ({ name }) => name.replace(/-.*/, ""));
  const groups = [...kinds].map(([name, processes]) => ({
    name,
    pids: () => processes.flatMap(({ pid }) => treeOf(pid())),
  }));
  const cpu = sampleCpu(groups);
  try {
    const [before, from] = [await bytesNow(platform), Date.now()];
    const messages = await work();
    const [after, to] = [await bytesNow(platform), Date.now()];
    // The sample that ends the window.
    await Bun.sleep(300);
    const { uses } = cpu.between(from, to);
    const kb = (name: keyof Bytes) => (after[name] - before[name]) / 1024 / messages;
    return {
      cpuMs: Object.fromEntries([...kinds.keys()].map((name) => [name, uses[name]!.usedMs / messages])),
      walKb: kb("wal"),
      tableKb: kb("table"),
      networkKb: kb("network"),
    };
  } finally {
    cpu.stop();
  }
}

type Bytes = { wal: number; table: number; network: number };

async function bytesNow({ owner }: Platform): Promise<Bytes> {
  const [row] = await owner<[{ wal: number; size: number }]>`
    select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::double precision as wal,
           pg_database_size(current_database())::double precision as size`;
  return { wal: row.wal, table: row.size, network: loopbackBytes(readFileSync("/proc/net/dev", "utf8")) };
}

/** Bytes that the loopback interface received. */
export function loopbackBytes(netDev: string): number {
  const received = /^\s*lo:\s*(\d+)/m.exec(netDev)?.[1];
  if (received === undefined) throw new Error("/proc/net/dev lists no loopback interface");
  return Number(received);
}
