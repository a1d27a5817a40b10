import { duration, error, quoted, unknown, warning } from "../finding.ts";
import type { Fault } from "../finding.ts";

/** Bytes. */
export type Amount = { total: number; free: number };

export type NodeNow = {
  name: string;
  /** As Nomad's servers see it: "ready", "down", "disconnected" or "initializing". */
  status: string;
  isEligible: boolean;
  isDraining: boolean;
  /** Null if the node is not ready. */
  stats: { memory: Amount; disk: Amount; clockAheadMs: number } | { unread: string } | null;
};

const lowShare = 0.1;
/** Nomad's client deletes the data of ended allocations above 80 %, so that less than this is other data. */
const fullShare = 0.03;

/** Clocks are compared by statistics that are up to a second old. */
const skewMs = 5_000;

export const judgeNodes = (nodes: readonly NodeNow[]): Fault[] => [
  ...(nodes.length === 0 ? [error("Nomad has no client: nothing can run.", 'See "Agents" in nomad/README.md.')] : []),
  ...nodes.flatMap((node) => [...judgeState(node), ...judgeResources(node)]),
  ...judgeClocks(nodes),
];

function judgeState({ name, status, isEligible, isDraining }: NodeNow): Fault[] {
  if (status === "down" || status === "disconnected") {
    const help = 'Start it again; if it is lost, see "Lost nodes" in nomad/README.md (task restore).';
    return [error(`Node ${name} is ${status}: Nomad's servers do not reach it.`, help)];
  }
  if (status !== "ready") return [warning(`Node ${name} is ${status}.`, `See: nomad node status ${name}`)];
  if (isDraining) return [warning(`Node ${name} is being drained.`, "Wait for the drain to end: nomad node status")];
  if (isEligible) return [];
  return [warning(`Node ${name} is ineligible: nothing starts there.`, `Take it back: task node:join NODE=${name}`)];
}

function judgeResources({ name, stats }: NodeNow): Fault[] {
  if (stats === null) return [];
  if ("unread" in stats) {
    const found = `The memory, disk and clock of node ${name} could not be read: ${quoted(stats.unread)}`;
    return [unknown(found, `See: nomad node status -stats ${name}`)];
  }
  const { memory, disk } = stats;
  const share = ({ free, total }: Amount) => (total === 0 ? 1 : free / total);
  const left = (amount: Amount) =>
    `${(amount.free / 2 ** 30).toFixed(1)} GB (${Math.floor(100 * share(amount))} %) free`;
  const faults: Fault[] = [];
  if (share(disk) < lowShare) {
    const found = `The disk of node ${name} has ${left(disk)}.`;
    const help = "Delete what is not needed (nomad system gc), or enlarge the disk before databases and shards stop.";
    faults.push(share(disk) < fullShare ? error(found, help) : warning(found, help));
  }
  if (share(memory) < lowShare) {
    const help = `Add a node, or move work from it: task node:drain NODE=${name}`;
    faults.push(warning(`The memory of node ${name} has ${left(memory)}.`, help));
  }
  return faults;
}

/** Compares each clock with the median, so that the clock of the operator's machine does not matter. */
function judgeClocks(nodes: readonly NodeNow[]): Fault[] {
  const clocks = nodes.flatMap(({ name, stats }) =>
    stats !== null && "clockAheadMs" in stats ? [{ name, aheadMs: stats.clockAheadMs }] : [],
  );
  const median = clocks.map(({ aheadMs }) => aheadMs).toSorted((a, b) => a - b)[Math.floor((clocks.length - 1) / 2)];
  const help = "Start its time service, such as chrony: timedatectl status";
  if (median === undefined) return [];
  const wrong = clocks.filter(({ aheadMs }) => Math.abs(aheadMs - median) > skewMs);
  const faults = wrong.map(({ name, aheadMs }) => {
    const by = aheadMs - median;
    return warning(`The clock of node ${name} is ${duration(Math.abs(by))} ${by > 0 ? "ahead" : "behind"}.`, help);
  });
  if (Math.abs(median) <= skewMs) return faults;
  const own = `The clock of this machine and those of the nodes differ by ${duration(Math.abs(median))}.`;
  return [...faults, warning(own, "Compare both with a time server: timedatectl status")];
}
