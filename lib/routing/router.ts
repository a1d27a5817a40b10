import { AppError } from "../core/errors.ts";
import type { ConsulClient } from "../consul/client.ts";
import { followValue, processMemory } from "../consul/live_value.ts";
import { assign, hashShard } from "./assignment.ts";
import type { Assignable } from "./assignment.ts";
import { createDirectory } from "./directory.ts";
import type { Directory, ShardAddress } from "./directory.ts";

/** The Consul key with the number of shards. Written by the scale scripts, by check-and-set. */
export const numShardsKey = "prosaas/whatsapp/num_shards";

/** The shard exists, and no healthy instance of it is known now. What is queued for it waits. */
export class ShardUnavailable extends AppError {
  readonly shard: number;
  constructor(shard: number) {
    super("unavailable", `WhatsApp shard ${shard} is not available at the moment; try again shortly.`, {
      detail: { shard },
      retryAfterS: 2,
    });
    this.shard = shard;
  }
}

/** The stored shard is not among the shards there are; an operator must scale up or move the business. */
export class ShardOutOfRange extends AppError {
  readonly shard: number;
  constructor(shard: number, numShards: number) {
    super(
      "unavailable",
      `This business is assigned to WhatsApp shard ${shard}, but there are ${numShards}; move it, or add shards.`,
      {
        detail: { shard, num_shards: numShards },
        retryAfterS: 60,
      },
    );
    this.shard = shard;
  }
}

export type Router = {
  /** The address of a business's shard. No I/O. @throws ShardUnavailable, ShardOutOfRange */
  locate(business: Assignable): ShardAddress;
  /** The address of a shard by number. @throws ShardUnavailable */
  shard(shard: number): ShardAddress;
  /** The shard that a business gets at its first connect. */
  assign(businessId: string): number;
  /** Every known address, by shard number. */
  shards(): ShardAddress[];
  readonly numShards: number;
  /** Milliseconds since Consul last told of the shards. */
  directoryAgeMs(): number;
  /** Resolves once the shards and their number are known, or are known not to come from Consul. */
  readonly ready: Promise<void>;
};

export type RouterOptions = {
  consul: ConsulClient;
  /** First value of the number of shards. */
  numShards: number;
  overrides?: ReadonlyMap<number, string>;
  signal: AbortSignal;
  onError?: (error: unknown) => void;
};

/** The number that a text says; null where that makes no sense. */
export function parseNumShards(text: string): number | null {
  return /^[1-9]\d{0,4}$/.test(text) ? Number(text) : null;
}

/** A router over a given directory: pure but for what the directory and `numShards` say now. */
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

/** The router of a process: two blocking queries (the shards, their number), everything else in memory. */
export function createRouter({ consul, numShards: first, overrides, signal, onError }: RouterOptions): Router {
  const directory = createDirectory({ consul, signal, ...(onError ? { onError } : {}) });
  // A lost key must not move businesses that have no assignment yet, nor put stored assignments out of range.
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
