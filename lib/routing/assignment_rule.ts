/**
 * By which rule a business gets its shard at its first connect. "hash": `md5(id) mod N + 1`, which anybody can compute.
 * "least_loaded": the available shard where the fewest businesses live. Either way it is written down, and no later
 * change of rule or number moves anybody.
 */
export const assignmentRules = ["hash", "least_loaded"] as const;
export type AssignmentRule = (typeof assignmentRules)[number];

/** The Consul key with the rule; "hash" while it does not exist. */
export const assignmentRuleKey = "prosaas/whatsapp/assignment_rule";

/** The rule that a text names; null for any other text. */
export function parseAssignmentRule(text: string): AssignmentRule | null {
  return assignmentRules.find((rule) => rule === text) ?? null;
}
