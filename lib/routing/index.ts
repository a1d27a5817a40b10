export { assign, hashShard } from "./assignment.ts";
export type { Assignable, Assignment } from "./assignment.ts";
export { assignmentRuleKey, assignmentRules, parseAssignmentRule } from "./assignment_rule.ts";
export type { AssignmentRule } from "./assignment_rule.ts";
export { cordonKey, parseCordon } from "./cordon.ts";
export { routingEnv, shardOverrides } from "./config.ts";
export { createDirectory, ownerKey, shardService } from "./directory.ts";
export type { Directory, Owner, ShardAddress } from "./directory.ts";
export {
  createRouter,
  createRouterOver,
  numShardsKey,
  parseNumShards,
  ShardOutOfRange,
  ShardUnavailable,
} from "./router.ts";
export { exposeRouter } from "./metrics.ts";
export type { Router } from "./router.ts";
