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
  /** When the caller stops waiting for an item, by `performance.now()`. Default: never. */
  dueAtOf?: (item: Item) => number;
  /** The error of an item that is not committed, because its caller no longer waits. */
  late?: () => Error;
};

type Waiting<Item, Result> = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void };

/**
 * Commits concurrent items in batches. A single item is committed at once; items are batched only while `maxCommits`
 * commits are in flight. The batch size so follows the load, and the cost of a transaction is shared under load only.
 */
export function createGroupCommit<Item, Result>(
  options: GroupCommitOptions<Item, Result>,
): (item: Item) => Promise<Result> {
  const { commit, isItemsFault, ownerOf = () => "", maxItems, maxCommits, maxWaiting, overload } = options;
  const { maxBytes = Number.POSITIVE_INFINITY, bytesOf = () => 0 } = options;
  const { dueAtOf = () => Number.POSITIVE_INFINITY, late = overload } = options;
  const waiting = new Turns<Waiting<Item, Result>>();
  let underWay = 0;
  let scheduled = false;

  /** Rejects the items whose caller has stopped waiting; returns the others. */
  const awaited = (group: Waiting<Item, Result>[]): Waiting<Item, Result>[] => {
    const now = performance.now();
    return group.filter(({ item, reject }) => {
      const isLate = dueAtOf(item) <= now;
      if (isLate) reject(late());
      return !isLate;
    });
  };

  const commitGroup = async (taken: Waiting<Item, Result>[]): Promise<void> => {
    const group = awaited(taken);
    if (group.length === 0) return;
    try {
      const results = await commit(group.map(({ item }) => item));
      group.forEach(({ resolve }, n) => resolve(results[n]!));
    } catch (error) {
      if (group.length === 1 || !isItemsFault(error)) for (const { reject } of group) reject(error);
      else for (const alone of group) await commitGroup([alone]);
    }
  };

  const start = (): void => {
    scheduled = false;
    while (underWay < maxCommits && waiting.size > 0) {
      underWay += 1;
      void commitGroup(waiting.take(maxItems, ({ item }) => bytesOf(item), maxBytes)).then(() => {
        underWay -= 1;
        start();
      });
    }
  };

  return (item) => {
    if (waiting.size >= maxWaiting) return Promise.reject(overload());
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    waiting.push(ownerOf(item), { item, resolve, reject });
    // Items of the same turn of the event loop share a batch.
    if (!scheduled && underWay < maxCommits) {
      scheduled = true;
      setImmediate(start);
    }
    return promise;
  };
}
