import { kvGet, kvPut } from "../../../lib/consul/client.ts";
import type { Change } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import type { Target } from "./target.ts";

/** A text in Consul that running processes follow. */
export type LiveSetting = {
  key: string;
  title: string;
  /** What counts while the key does not exist. */
  first: string;
};

/** Changes a setting of what runs, over the version that was read and no other; nothing restarts. */
export async function changeSetting(
  { consul }: Target,
  { key, title, first }: LiveSetting,
  value: string,
): Promise<Change> {
  const entry = await kvGet(consul, key);
  const before = entry?.value ?? first;
  return {
    what: before === value ? `${title}: ${value}` : `${title}: ${before} → ${value}`,
    plan: before === value ? [] : [`write ${value} to ${key} in Consul; what runs follows at once`],
    apply: (report) =>
      report.step(`${title} is ${value}`, async () => {
        if (await kvPut(consul, key, value, { cas: entry?.modifyIndex ?? 0 })) return;
        throw new ScaleFailure(`${key} was changed by somebody else meanwhile; look at it and run the command again.`);
      }),
    state: async () => ({ [key]: (await kvGet(consul, key))?.value ?? null }),
  };
}
