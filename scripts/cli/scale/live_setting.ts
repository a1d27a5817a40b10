import { kvGet, kvPut } from "../../../lib/consul/client.ts";
import type { Change } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import type { Target } from "./target.ts";

/** A text in Consul that running processes watch. */
export type LiveSetting = {
  key: string;
  title: string;
  /** The value while the key does not exist. */
  first: string;
};

/** Prints a setting and changes nothing. */
export async function showSetting({ consul }: Target, { key, title, first }: LiveSetting): Promise<Change> {
  const read = async () => (await kvGet(consul, key))?.value ?? null;
  const state = async () => ({ [key]: await read() });
  return { what: `${title}: ${(await read()) ?? first}`, plan: [], apply: () => Promise.resolve(), state };
}

/** Changes a setting without a restart, if its version is still the one that was read. */
export async function changeSetting(
  { consul }: Target,
  { key, title, first }: LiveSetting,
  value: string,
): Promise<Change> {
  const entry = await kvGet(consul, key);
  const before = entry?.value ?? first;
  return {
    what: before === value ? `${title}: ${value}` : `${title}: ${before} → ${value}`,
    plan: before === value ? [] : [`write ${value} to ${key} in Consul; running processes follow at once`],
    apply: (report) =>
      report.step(`${title} is ${value}`, async () => {
        if (await kvPut(consul, key, value, { cas: entry?.modifyIndex ?? 0 })) return;
        throw new ScaleFailure(`${key} changed in the meantime; check it and run the command again.`);
      }),
    state: async () => ({ [key]: (await kvGet(consul, key))?.value ?? null }),
  };
}
