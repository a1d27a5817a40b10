export { assign, hashShard } from "./assignment.ts";
export type { Assignable, Assignment } from "./assignment.ts";
export { routingEnv, shardOverrides } from "./config.ts";
export { createDirectory, ownerKey, shardService } from "./directory.ts";
export type { Directory, Owner, ShardAddress } from "./directory.ts";
export { createRouter, createRouterOver, numShardsKey, ShardOutOfRange, ShardUnavailable } from "./router.ts";
export type { Router } from "./router.ts";
