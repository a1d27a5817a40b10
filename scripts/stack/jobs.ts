/** The jobs of a stack in the order in which they are started; those of one list start together. */
export const foundation = ["postgres", "redis", "simulator"];
export const pooler = ["pgbouncer"];
/** Parameterized: registered, and dispatched when there is something new to do. */
export const batches = ["migrate", "indexer"];

/**
 * Stages of a deploy: each starts after the one before it has settled. Consumers are deployed before producers, so that
 * no process of the previous release reads what one of the new release writes: workers read the journals of shards and
 * the events of calls, and shards and calls serve the requests of the API. A rollback takes the stages in reverse.
 */
export const serviceStages: readonly (readonly string[])[] = [
  ["postgres-replica", "workers"],
  ["wa-shards", "call-agent", "calls"],
  ["api", "nginx"],
];

export const allJobs = [...foundation, ...pooler, ...batches, ...serviceStages.flat()];
/** Those of which something always runs. */
export const runningJobs = allJobs.filter((id) => !batches.includes(id));
/** Jobs that a cluster may run too. `scripts/up` starts none of them; a deploy renews those that run, at its end. */
export const optionalJobs = ["autoscaler"];
