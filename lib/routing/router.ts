import { AppError } from "../core/errors.ts";
import type { ConsulClient } from "../consul/client.ts";
import { followValue, processMemory } from "../consul/live_value.ts";
import { assign, hashShard } from "./assignment.ts";
import type { Assignable } from "./assignment.ts";
import { createDirectory } from "./directory.ts";
import type { Directory, ShardAddress } from "./directory.ts";

/** The Consul key with the number of shards. The scale commands write it by check-and-set. */
export const numShardsKey = "prosaas/whatsapp/num_shards";

/** The shard exists but has no healthy instance. Its queued messages wait. */
export class ShardUnavailable extends AppError {
  readonly shard: number;
  constructor(shard: number) {
    super("unavailable", `WhatsApp shard ${shard} is unavailable. Retry shortly.`, {
      detail: { shard },
      retryAfterS: 2,
    });
    this.shard = shard;
  }
}

/** The stored shard exceeds the number of shards. An operator must add shards or move the business. */
export class ShardOutOfRange extends AppError {
  readonly shard: number;
  constructor(shard: number, numShards: number) {
    super(
      "unavailable",
      `The business is assigned to WhatsApp shard ${shard} of only ${numShards}. Move it, or add shards.`,
      { detail: { shard, num_shards: numShards }, retryAfterS: 60 },
    );
    this.shard = shard;
  }
}

export type Router = {
  /** Returns the address of a business's shard. No I/O. @throws ShardUnavailable, ShardOutOfRange */
  locate(business: Assignable): ShardAddress;
  /** Returns the address of a shard by number. @throws ShardUnavailable */
  shard(shard: number): ShardAddress;
  /** Returns the shard that the hash gives a business at its first connect. */
  assign(businessId: string): number;
  /** Returns every known address, in order of shard number. */
  shards(): ShardAddress[];
  readonly numShards: number;
  /** Milliseconds since Consul last reported the shards. */
  directoryAgeMs(): number;
  /** Resolves at Consul's first answers for the shards and for their number. */
  readonly ready: Promise<void>;
};

export type RouterOptions = {
  consul: ConsulClient;
  /** The number of shards until Consul has one. */
  numShards: number;
  overrides?: ReadonlyMap<number, string>;
  signal: AbortSignal;
  onError?: (error: unknown) => void;
};

/** Parses a number of shards, 1 to 99,999; null for any other text. */
export function parseNumShards(text: string): number | null {
  return /^[1-9]\d{0,4}$/.test(text) ? Number(text) : null;
}

/** Creates a router over a given directory. It holds no state of its own. */
export function createRouterOver(
  directory: Pick<Directory, "addresses" | "ageMs" | "ready">,
  numShards: () => number,
  overrides: ReadonlyMap<number, string> = new Map(),
): Router {
  const fixed = new Map([...overrides].map(([shard, url]) => [shard, { shard, url }]));
  const shard = (number: number): ShardAddress => {
    const address = fixed.get(number) ?? directory.addresses.get(number);
    if (address === undefined) throw new ShardUnavailable(number);
    return address;
  };
  return {
    shard,
    locate: (business) => {
      const assignment = assign(business, numShards());
      if ("outOfRange" in assignment) throw new ShardOutOfRange(assignment.outOfRange, numShards());
      return shard(assignment.shard);
    },
    assign: (businessId) => hashShard(businessId, numShards()),
    shards: () => [...new Map([...directory.addresses, ...fixed]).values()].toSorted((a, b) => a.shard - b.shard),
    get numShards() {
      return numShards();
    },
    directoryAgeMs: () => directory.ageMs(),
    ready: directory.ready,
  };
}

/** Creates the router of a process: two blocking queries (the shards, their number), every lookup from memory. */
export function createRouter({ consul, numShards: first, overrides, signal, onError }: RouterOptions): Router {
  const directory = createDirectory({ consul, signal, ...(onError ? { onError } : {}) });
  // A lost key must neither reassign businesses without a stored shard nor put stored assignments out of range.
  const number = followValue({
    consul,
    key: numShardsKey,
    first,
    parse: parseNumShards,
    signal,
    onError,
    memory: processMemory,
  });
  const ready = Promise.all([directory.ready, number.ready]).then(() => {});
  return createRouterOver({ ...directory, addresses: directory.addresses, ready }, number.current, overrides);
}
