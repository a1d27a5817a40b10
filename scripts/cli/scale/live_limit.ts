import { kvGet, kvPut } from "../../../lib/consul/client.ts";
import type { Change } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import type { Target } from "./target.ts";

/** A number in Consul that running processes watch. */
export type LiveLimit = { key: string; title: string };

/** The number and its version. Null if it was never set and the processes use their default. */
export async function readLimit(
  { consul }: Pick<Target, "consul">,
  key: string,
): Promise<{ value: number | null; cas: number }> {
  const entry = await kvGet(consul, key);
  const value = Number(entry?.value ?? Number.NaN);
  return { value: Number.isInteger(value) ? value : null, cas: entry?.modifyIndex ?? 0 };
}

/** Writes the number if its version is still the one that was read. */
export async function writeLimit(
  { consul }: Pick<Target, "consul">,
  key: string,
  value: number,
  cas: number,
): Promise<void> {
  if (await kvPut(consul, key, `${value}`, { cas })) return;
  throw new ScaleFailure(`${key} changed in the meantime; check it and run the command again.`);
}

/** Changes a limit without a restart. */
export async function changeLimit(target: Target, { key, title }: LiveLimit, value: number): Promise<Change> {
  const now = await readLimit(target, key);
  const before = now.value ?? "the default";
  return {
    what: now.value === value ? `${title}: ${value}` : `${title}: ${before} → ${value}`,
    plan: now.value === value ? [] : [`write ${value} to ${key} in Consul; running processes follow at once`],
    apply: (report) => report.step(`${title} is ${value}`, () => writeLimit(target, key, value, now.cas)),
    state: async () => ({ [key]: (await readLimit(target, key)).value }),
  };
}
