/** The jobs of a stack in the order in which they are started; those of one list start together. */
export const foundation = ["postgres", "redis", "simulator"];
export const pooler = ["pgbouncer"];
/** Parameterized: registered, and dispatched when there is something new to do. */
export const batches = ["migrate", "indexer"];
export const services = ["postgres-replica", "wa-shards", "workers", "call-agent", "calls", "api", "nginx"];

export const allJobs = [...foundation, ...pooler, ...batches, ...services];
/** Those of which something always runs. */
export const runningJobs = allJobs.filter((id) => !batches.includes(id));
