export type GroupCommitOptions<Item, Result> = {
  /** Does the work of many items in one transaction; results in the order of the items. */
  commit: (items: Item[]) => Promise<Result[]>;
  /** Whether a failed commit may be one item's fault: then each of its items is tried alone. */
  isItemsFault: (error: unknown) => boolean;
  /** Most items in one commit. */
  maxItems: number;
  /** Most commits under way: while they are, items gather for the next. */
  maxCommits: number;
  /** Most items that wait for a commit. */
  maxWaiting: number;
  /** What is thrown beyond that. */
  overload: () => Error;
};

type Waiting<Item, Result> = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void };

/**
 * Commits items together that come at the same time. Nobody waits for company: a lone item is committed at once, and
 * only while `maxCommits` are under way do further ones gather. So a group is as large as the load makes it, and the
 * cost of a transaction is shared exactly when there is no time for it.
 */
export function createGroupCommit<Item, Result>(
  options: GroupCommitOptions<Item, Result>,
): (item: Item) => Promise<Result> {
  const { commit, isItemsFault, maxItems, maxCommits, maxWaiting, overload } = options;
  const waiting: Waiting<Item, Result>[] = [];
  let underWay = 0;
  let scheduled = false;

  const commitGroup = async (group: Waiting<Item, Result>[]): Promise<void> => {
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
    while (underWay < maxCommits && waiting.length > 0) {
      underWay += 1;
      void commitGroup(waiting.splice(0, maxItems)).then(() => {
        underWay -= 1;
        start();
      });
    }
  };

  return (item) => {
    if (waiting.length >= maxWaiting) return Promise.reject(overload());
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    waiting.push({ item, resolve, reject });
    // What arrives in the same turn of the event loop goes together.
    if (!scheduled && underWay < maxCommits) {
      scheduled = true;
      setImmediate(start);
    }
    return promise;
  };
}
