/**
 * The rule that assigns a shard at a business's first connect. "hash": `md5(id) mod N + 1`. "least_loaded": the
 * available shard with the fewest businesses. The assignment is stored; a later change of the rule or of the number of
 * shards moves no business.
 */
export const assignmentRules = ["hash", "least_loaded"] as const;
export type AssignmentRule = (typeof assignmentRules)[number];

/** The Consul key with the rule. "hash" applies while the key does not exist. */
export const assignmentRuleKey = "prosaas/whatsapp/assignment_rule";

/** Parses a rule; null for any other text. */
export function parseAssignmentRule(text: string): AssignmentRule | null {
  return assignmentRules.find((rule) => rule === text) ?? null;
}
