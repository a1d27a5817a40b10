/*
 *   draft ──start──▶ scheduled ──its time has come──▶ running ──everybody was sent it──▶ completed
 *                      ▲   │                            │
 *                   resume └──────────pause─────────────┤
 *                      │            ┌───────────────────┘
 *                      └── paused ◀─┘          each but the completed ──cancel──▶ cancelled
 */
export const broadcastStatuses = ["draft", "scheduled", "running", "paused", "completed", "cancelled"] as const;
export type BroadcastStatus = (typeof broadcastStatuses)[number];

export const broadcastVerbs = ["start", "pause", "resume", "cancel"] as const;
export type BroadcastVerb = (typeof broadcastVerbs)[number];

const transitions: Record<BroadcastVerb, { from: readonly BroadcastStatus[]; to: BroadcastStatus }> = {
  start: { from: ["draft"], to: "scheduled" },
  pause: { from: ["scheduled", "running"], to: "paused" },
  resume: { from: ["paused"], to: "scheduled" },
  cancel: { from: ["draft", "scheduled", "running", "paused"], to: "cancelled" },
};

/** The status after a transition: unchanged if the broadcast has it already, undefined if it cannot reach it. */
export function after(verb: BroadcastVerb, status: BroadcastStatus): BroadcastStatus | undefined {
  const { from, to } = transitions[verb];
  if (from.includes(status)) return to;
  const done = status === to || (to === "scheduled" && status === "running");
  return done ? status : undefined;
}
