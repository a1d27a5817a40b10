import { table } from "../../../cli/operator/table.ts";
import type { CpuSamples, CpuUses } from "../../rig/cpu.ts";

/** A message of the other tenant: due, accepted by the API after `apiMs`, acknowledged by WhatsApp after `ms`. */
export type TimedMessage = { at: number; ms: number; apiMs: number; kind: string };

/** Part of the messages that counts as the tail. */
const tailPart = 0.02;

/** The slowest messages: when each took how long, which attacks ran, and who used the CPUs or waited for one. */
export function tailReport(messages: readonly TimedMessage[], samples: CpuSamples): string[] {
  const count = Math.ceil(messages.length * tailPart);
  const slowest = messages.toSorted((a, b) => b.ms - a.ms).slice(0, count);
  const rows = slowest.map(({ at, ms, apiMs, kind }) => {
    const { ms: windowMs, uses } = samples.between(at, at + ms);
    return [
      `${Math.round(ms)} ms`,
      `api ${Math.round(apiMs)}`,
      kind,
      `used: ${shares(uses, windowMs, "usedMs")}`,
      `waited: ${shares(uses, windowMs, "waitedMs")}`,
    ];
  });
  return [`slowest ${count} of ${messages.length} messages of the other tenant`, ...table(rows).split("\n")];
}

/** The processes with at least a twentieth of a CPU, largest first, in CPUs. */
function shares(uses: CpuUses, windowMs: number, field: "usedMs" | "waitedMs"): string {
  return Object.entries(uses)
    .map(([name, use]) => ({ name, cpus: use[field] / windowMs }))
    .filter(({ cpus }) => cpus >= 0.05)
    .sort((a, b) => b.cpus - a.cpus)
    .map(({ name, cpus }) => `${name} ${cpus.toFixed(2)}`)
    .join(", ");
}
