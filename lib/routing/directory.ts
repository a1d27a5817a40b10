import { z } from "zod";
import { parseKv } from "../consul/client.ts";
import type { ConsulClient } from "../consul/client.ts";
import { watch } from "../consul/watch.ts";

/** Where a shard's internal API is. `url` has no trailing slash. */
export type ShardAddress = { shard: number; url: string };

export type Instance = {
  shard: number;
  address: string;
  port: number;
  /** False for one that its agent has not checked yet: it is new, or the agent came back and knows nothing but its name. */
  checked: boolean;
};

export const shardService = "whatsapp-shard";

/** The Consul key by which a shard number has one owner; its value is an `Owner` as JSON. */
export const ownerKey = (shard: number): string => `prosaas/whatsapp/shards/${shard}/owner`;

/** Where the owner of a shard number listens: as it stands in the service's registration. */
const ownerSchema = z.object({ address: z.string(), port: z.int() });
export type Owner = z.infer<typeof ownerSchema>;

type Check = { Status?: string; Output?: string };
type Health = "passing" | "unchecked" | "failing";

/** An agent holds a check as critical until it has run for the first time; what it says is empty as long. */
function healthOf(checks: readonly Check[]): Health {
  if (checks.every(({ Status }) => Status === "passing")) return "passing";
  return checks.every(({ Status, Output }) => Status === "passing" || (Status === "critical" && !Output))
    ? "unchecked"
    : "failing";
}

/**
 * Reads `/v1/health/service/…`; what fails a check is passed over. The number is meta `shard` (from 1), or `shard_index` (from 0): a Nomad job can
 * interpolate the allocation's index and cannot add to it. An instance without a number is passed over.
 */
export function parseInstances(body: unknown): Instance[] {
  if (!Array.isArray(body)) return [];
  type Entry = {
    Node?: { Address?: string };
    Service?: { Address?: string; Port?: number; Meta?: Record<string, string> | null };
    Checks?: Check[] | null;
  };
  return (body as Entry[]).flatMap(({ Node, Service, Checks }) => {
    const meta = Service?.Meta ?? {};
    const shard = /^\d+$/.test(meta["shard"] ?? "")
      ? Number(meta["shard"])
      : /^\d+$/.test(meta["shard_index"] ?? "")
        ? Number(meta["shard_index"]) + 1
        : 0;
    const address = Service?.Address || Node?.Address;
    const health = healthOf(Checks ?? []);
    if (shard < 1 || !address || !Service?.Port || health === "failing") return [];
    return [{ shard, address, port: Service.Port, checked: health === "passing" }];
  });
}

export type Directory = {
  /** Shard → address; the last known good through any outage. */
  readonly addresses: ReadonlyMap<number, ShardAddress>;
  /** Milliseconds since Consul last answered; Infinity before the first answer. Grows during an outage. */
  ageMs(): number;
  /** Resolves at the first answer. */
  readonly ready: Promise<void>;
};

export type DirectoryOptions = {
  consul: ConsulClient;
  signal: AbortSignal;
  onError?: (error: unknown) => void;
  /** Called when the map has changed. */
  onChange?: (addresses: ReadonlyMap<number, ShardAddress>) => void;
};

const addressOf = ({ shard, address, port }: Omit<Instance, "checked">): ShardAddress => ({
  shard,
  url: `http://${address}:${port}`,
});

/** Follows the shard service with one blocking query for the whole process. */
export function createDirectory({ consul, signal, onError, onChange }: DirectoryOptions): Directory {
  const addresses = new Map<number, ShardAddress>();
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  let contactAt = Number.NEGATIVE_INFINITY;
  const contests = new Map<number, AbortController>();

  const apply = (found: Instance[]) => {
    // An agent that came back has its checks run within seconds; until then what was known of a shard stays.
    const instances = found.filter((one) => one.checked || addresses.get(one.shard)?.url === addressOf(one).url);
    for (const contest of contests.values()) contest.abort();
    contests.clear();
    const byShard = Map.groupBy(instances, (instance) => instance.shard);
    for (const shard of addresses.keys()) if (!byShard.has(shard)) addresses.delete(shard);
    for (const [shard, claimants] of byShard) {
      const [only, ...others] = claimants;
      if (only && others.length === 0) addresses.set(shard, addressOf(only));
      else {
        // What was known may be another shard's by now.
        if (!claimants.some((one) => addressOf(one).url === addresses.get(shard)?.url)) addresses.delete(shard);
        settle(shard, claimants);
      }
    }
    onChange?.(addresses);
    resolve();
  };

  /**
   * Two instances claim one number: the holder of the owner lock is the shard, the other is about to stop. The lock
   * is followed for as long as they both claim it; until it names one of them, the last known address stays.
   */
  const settle = (shard: number, claimants: Instance[]) => {
    const contest = new AbortController();
    contests.set(shard, contest);
    void watch({
      consul,
      path: `/v1/kv/${ownerKey(shard)}`,
      parse: (body) => {
        const entry = parseKv(body);
        return entry?.session ? ownerSchema.parse(JSON.parse(entry.value)) : null;
      },
      onChange: (owner) => {
        const holder = claimants.find(({ address, port }) => address === owner?.address && port === owner.port);
        if (holder === undefined) return;
        addresses.set(shard, addressOf(holder));
        onChange?.(addresses);
      },
      ...(onError ? { onError } : {}),
      signal: AbortSignal.any([signal, contest.signal]),
    });
  };

  void watch({
    consul,
    path: `/v1/health/service/${shardService}?stale=1`,
    parse: parseInstances,
    onChange: apply,
    onContact: () => (contactAt = performance.now()),
    ...(onError ? { onError } : {}),
    signal,
  });

  return { addresses, ready, ageMs: () => performance.now() - contactAt };
}
