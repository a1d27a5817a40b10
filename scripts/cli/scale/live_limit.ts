import { kvGet, kvPut } from "../../../lib/consul/client.ts";
import type { Change } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import type { Target } from "./target.ts";

/** A number in Consul that running processes follow. */
export type LiveLimit = { key: string; title: string };

/** The number and the version to write over; null where nobody has set it and the processes' first value counts. */
export async function readLimit(
  { consul }: Pick<Target, "consul">,
  key: string,
): Promise<{ value: number | null; cas: number }> {
  const entry = await kvGet(consul, key);
  const value = Number(entry?.value ?? Number.NaN);
  return { value: Number.isInteger(value) ? value : null, cas: entry?.modifyIndex ?? 0 };
}

/** Writes the number over the version that was read, and no other. */
export async function writeLimit(
  { consul }: Pick<Target, "consul">,
  key: string,
  value: number,
  cas: number,
): Promise<void> {
  if (await kvPut(consul, key, `${value}`, { cas })) return;
  throw new ScaleFailure(`${key} was changed by somebody else meanwhile; look at it and run the command again.`);
}

/** Changes a limit of what runs; nothing restarts. */
export async function changeLimit(target: Target, { key, title }: LiveLimit, value: number): Promise<Change> {
  const now = await readLimit(target, key);
  const before = now.value ?? "the first value";
  return {
    what: now.value === value ? `${title}: ${value}` : `${title}: ${before} → ${value}`,
    plan: now.value === value ? [] : [`write ${value} to ${key} in Consul; what runs follows at once`],
    apply: (report) => report.step(`${title} is ${value}`, () => writeLimit(target, key, value, now.cas)),
    state: async () => ({ [key]: (await readLimit(target, key)).value }),
  };
}
