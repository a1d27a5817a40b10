import { z } from "zod";
import { parseKv } from "../consul/client.ts";
import type { ConsulClient } from "../consul/client.ts";
import { watch } from "../consul/watch.ts";

/** The address of a shard's internal API. `url` has no trailing slash. */
export type ShardAddress = { shard: number; url: string };

export type Instance = {
  shard: number;
  address: string;
  port: number;
  /** False if the agent has not run its check yet: the instance is new, or the agent has restarted. */
  checked: boolean;
};

export const shardService = "whatsapp-shard";

/** The Consul key of a shard's owner lock. Its value is an `Owner` as JSON. */
export const ownerKey = (shard: number): string => `prosaas/whatsapp/shards/${shard}/owner`;

/** The address of a shard's owner, as in its service registration. */
const ownerSchema = z.object({ address: z.string(), port: z.int() });
export type Owner = z.infer<typeof ownerSchema>;

type Check = { Status?: string; Output?: string };
type Health = "passing" | "unchecked" | "failing";

/** The output of an HTTP check that passed. */
const passedOutput = /^HTTP [A-Z]+ \S+: 2\d\d /;

/**
 * A check that has not run yet is critical, and its output is empty. After a restart of the agent it may be the output
 * of an earlier run, which the agent persists when a service is registered again.
 */
const hasNotRun = ({ Status, Output = "" }: Check) =>
  Status === "critical" && (Output === "" || passedOutput.test(Output));

function healthOf(checks: readonly Check[]): Health {
  const others = checks.filter(({ Status }) => Status !== "passing");
  if (others.length === 0) return "passing";
  return others.every(hasNotRun) ? "unchecked" : "failing";
}

/**
 * Parses `/v1/health/service/…`. Skips instances that fail a check or have no shard number. The number is meta `shard`
 * (from 1), or `shard_index` (from 0), because a Nomad job can interpolate the allocation index but cannot add to it.
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
  /** Shard → address. During an outage of Consul, the last known addresses. */
  readonly addresses: ReadonlyMap<number, ShardAddress>;
  /** Milliseconds since Consul's last answer; Infinity before the first one. Grows during an outage. */
  ageMs(): number;
  /** Resolves at the first answer. */
  readonly ready: Promise<void>;
};

export type DirectoryOptions = {
  consul: ConsulClient;
  signal: AbortSignal;
  onError?: (error: unknown) => void;
  /** Called after each answer that may have changed the map. */
  onChange?: (addresses: ReadonlyMap<number, ShardAddress>) => void;
};

const addressOf = ({ shard, address, port }: Omit<Instance, "checked">): ShardAddress => ({
  shard,
  url: `http://${address}:${port}`,
});

/** Follows the shard service with one blocking query per process. */
export function createDirectory({ consul, signal, onError, onChange }: DirectoryOptions): Directory {
  const addresses = new Map<number, ShardAddress>();
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  let contactAt = Number.NEGATIVE_INFINITY;
  const contests = new Map<number, AbortController>();

  const apply = (found: Instance[]) => {
    // A restarted agent runs its checks within seconds. Until then the known address of a shard stays.
    const instances = found.filter((one) => one.checked || addresses.get(one.shard)?.url === addressOf(one).url);
    for (const contest of contests.values()) contest.abort();
    contests.clear();
    const byShard = Map.groupBy(instances, (instance) => instance.shard);
    for (const shard of addresses.keys()) if (!byShard.has(shard)) addresses.delete(shard);
    for (const [shard, claimants] of byShard) {
      const [only, ...others] = claimants;
      if (only && others.length === 0) addresses.set(shard, addressOf(only));
      else {
        // The known address may belong to another shard by now.
        if (!claimants.some((one) => addressOf(one).url === addresses.get(shard)?.url)) addresses.delete(shard);
        resolveContest(shard, claimants);
      }
    }
    onChange?.(addresses);
    resolve();
  };

  /**
   * Resolves a contest of several instances for one shard number. The holder of the owner lock is the shard; the others
   * are about to stop. The lock is followed while the contest lasts. Until it names a claimant, the last known address
   * stays.
   */
  const resolveContest = (shard: number, claimants: Instance[]) => {
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
