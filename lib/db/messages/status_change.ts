import { messageStatuses } from "../schema.ts";
import type { Message, MessageStatus } from "../schema.ts";

type Moments = "sent_at" | "delivered_at" | "read_at" | "played_at" | "failed_at";

/** A message whose status moved, as it is after the move. */
export type StatusChange = Pick<
  Message,
  "id" | "business_id" | "chat" | "status" | "error_code" | "error_message" | Moments
> & {
  before: MessageStatus;
};

/** A status that a message came to, and when. */
export type Passage = { status: MessageStatus; at: Date };

/**
 * Every status that a message came to by a move, in order: who has read it was delivered it, though the two ticks came
 * together. Over all of a message's moves each comes once.
 */
export function passages(change: StatusChange): Passage[] {
  const rank = (status: MessageStatus) => messageStatuses.indexOf(status);
  return messageStatuses.flatMap((status): Passage[] => {
    const passed = rank(status) > rank(change.before) && rank(status) <= rank(change.status);
    // A failure is not passed through: it is where a message ends, or it was proven wrong.
    if (!passed || status === "queued" || (status === "failed" && change.status !== "failed")) return [];
    if (status === "sent" && change.status === "failed") return [];
    const at = change[`${status}_at`];
    return at === null ? [] : [{ status, at }];
  });
}

/** As it comes out of a JSON aggregate: moments are text. */
export function changeFromJson(json: Record<keyof StatusChange, string | null>): StatusChange {
  const moment = (text: string | null) => (text === null ? null : new Date(text));
  return {
    ...(json as unknown as StatusChange),
    sent_at: moment(json.sent_at),
    delivered_at: moment(json.delivered_at),
    read_at: moment(json.read_at),
    played_at: moment(json.played_at),
    failed_at: moment(json.failed_at),
  };
}
