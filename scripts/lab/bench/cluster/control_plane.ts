import { createConsul, kvPut } from "../../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../../lib/consul/client.ts";
import { createApiClient } from "../../../../lib/api-client/index.ts";
import type { ApiClient } from "../../../../lib/api-client/index.ts";
import { numShardsKey } from "../../../../lib/routing/index.ts";
import { createAdminKey } from "../../rig/customers.ts";
import { startTogether } from "../../rig/cleanup.ts";
import { DirectorySubscribers } from "../../rig/directory_subscribers.ts";
import { LightShards } from "../../rig/light_shards.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Platform } from "../../rig/platform.ts";
import type { Changing } from "./convergence.ts";

/** Shards that are processes with sessions, so that businesses can move between them. The others are light. */
export const realShards = 2;

/** A platform whose Consul lists many shards, and processes that each keep a directory of them. */
export type ControlPlane = {
  platform: Platform;
  consul: ConsulClient;
  /** The API, with an admin key. */
  api: ApiClient;
  changing: Changing;
  stop(): Promise<void>;
};

export type ControlPlaneOptions = {
  folder: string;
  /** Shards in Consul. */
  shards: number;
  /** Processes that keep a directory, beside the API and the workers. */
  processes: number;
};

export const startControlPlane = ({ folder, shards, processes }: ControlPlaneOptions): Promise<ControlPlane> =>
  startTogether(async (onStop) => {
    const platform = await startPlatform({
      folder,
      shards: realShards,
      workers: ["high", "default", "low"].map((group) => ({ group })),
      discovery: "consul",
    });
    onStop(() => platform.stop());
    const addr = platform.consul.address;
    const consul = createConsul({ addr });
    await kvPut(consul, numShardsKey, String(shards));
    const light = await LightShards.start({ folder, consul, first: realShards + 1, last: shards });
    onStop(() => light.stop());
    const subscribers = await DirectorySubscribers.start({ folder, consul: addr, processes, shards });
    onStop(() => subscribers.stop());
    const api = createApiClient({
      baseUrl: platform.apis[0]!.url,
      key: await createAdminKey(platform.db),
      timeoutMs: 20_000,
    });
    const numbers = Array.from({ length: shards - realShards }, (_, n) => realShards + 1 + n);
    return { platform, consul, api, changing: { shards: light, subscribers, numbers } };
  });
