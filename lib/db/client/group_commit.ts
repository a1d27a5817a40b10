import { Turns } from "../../core/turns.ts";

export type GroupCommitOptions<Item, Result> = {
  /** Commits many items in one transaction; returns results in the order of the items. */
  commit: (items: Item[]) => Promise<Result[]>;
  /** True if one item may have caused the failure: then each item is committed alone. */
  isItemsFault: (error: unknown) => boolean;
  /** Items of one owner keep their order; owners whose items wait take turns. Default: one owner. */
  ownerOf?: (item: Item) => string;
  /** Most items in one commit. */
  maxItems: number;
  /** Most bytes in one commit, so that small items do not wait for large ones. A larger item is committed alone. */
  maxBytes?: number;
  /** The size of an item. Default: 0. */
  bytesOf?: (item: Item) => number;
  /** Concurrent commits; beyond them items are batched for the next one. */
  maxCommits: number;
  /** Most items that wait for a commit. */
  maxWaiting: number;
  /** The error beyond that. */
  overload: () => Error;
  /** Items that wait for a lock of another transaction. Default: they fail as any item. */
  blocked?: Blocked<Item, Result>;
  /** When the caller stops waiting for an item, by `performance.now()`. Default: never. */
  dueAtOf?: (item: Item) => number;
  /** The error of an item that is not committed, because its caller no longer waits. */
  expired?: () => Error;
};

type Blocked<Item, Result> = {
  /** True if an item of the commit waits for a lock: then each item is committed by itself, in no order. */
  isBlocked: (error: unknown) => boolean;
  /** Commits one item; may wait. No other item waits for it, and it takes none of the `maxCommits`. */
  commitAlone: (item: Item) => Promise<Result>;
};

type Waiting<Item, Result> = {
  item: Item;
  resolve: (result: Result | Promise<Result>) => void;
  reject: (error: unknown) => void;
};

/**
 * Commits concurrent items in batches. A single item is committed at once; items are batched only while `maxCommits`
 * commits are in flight. The batch size so follows the load, and the cost of a transaction is shared under load only.
 */
export function createGroupCommit<Item, Result>(
  options: GroupCommitOptions<Item, Result>,
): (item: Item) => Promise<Result> {
  const { commit, isItemsFault, ownerOf = () => "", maxItems, maxCommits, maxWaiting, overload } = options;
  const { maxBytes = Number.POSITIVE_INFINITY, bytesOf = () => 0 } = options;
  const { dueAtOf = () => Number.POSITIVE_INFINITY, expired = overload, blocked } = options;
  const waiting = new Turns<Waiting<Item, Result>>();
  /** The number of items that are committed alone, by owner. */
  const alone = new Map<string, number>();
  let aloneInAll = 0;
  let inFlight = 0;
  let scheduled = false;

  const isExpired = ({ item }: Waiting<Item, Result>): boolean => dueAtOf(item) <= performance.now();
  const rejectExpired = ({ reject }: Waiting<Item, Result>): void => reject(expired());

  const commitAlone = async (item: Item, { commitAlone: commitOne }: Blocked<Item, Result>): Promise<Result> => {
    const owner = ownerOf(item);
    alone.set(owner, (alone.get(owner) ?? 0) + 1);
    aloneInAll += 1;
    try {
      return await commitOne(item);
    } finally {
      const left = alone.get(owner)! - 1;
      if (left === 0) alone.delete(owner);
      else alone.set(owner, left);
      aloneInAll -= 1;
    }
  };

  const commitGroup = async (taken: Waiting<Item, Result>[]): Promise<void> => {
    const group = taken.filter((one) => {
      if (!isExpired(one)) return true;
      rejectExpired(one);
      return false;
    });
    if (group.length === 0) return;
    try {
      const results = await commit(group.map(({ item }) => item));
      group.forEach(({ resolve }, n) => resolve(results[n]!));
    } catch (error) {
      if (blocked?.isBlocked(error)) for (const { item, resolve } of group) resolve(commitAlone(item, blocked));
      else if (group.length === 1 || !isItemsFault(error)) for (const { reject } of group) reject(error);
      else for (const one of group) await commitGroup([one]);
    }
  };

  const start = (): void => {
    scheduled = false;
    while (inFlight < maxCommits && waiting.size > 0) {
      inFlight += 1;
      void commitGroup(waiting.take(maxItems, ({ item }) => bytesOf(item), maxBytes)).then(() => {
        inFlight -= 1;
        start();
      });
    }
  };

  const isFull = (): boolean => waiting.size + aloneInAll >= maxWaiting;

  return (item) => {
    if (isFull()) waiting.removeIf(isExpired).forEach(rejectExpired);
    if (isFull()) return Promise.reject(overload());
    const owner = ownerOf(item);
    // Further items of its owner may wait for the same lock; a group would wait with them.
    if (blocked && alone.has(owner)) return commitAlone(item, blocked);
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    waiting.push(owner, { item, resolve, reject });
    // Items of the same turn of the event loop share a batch.
    if (!scheduled && inFlight < maxCommits) {
      scheduled = true;
      setImmediate(start);
    }
    return promise;
  };
}
