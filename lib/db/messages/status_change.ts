import { messageStatuses } from "../schema.ts";
import type { Message, MessageStatus } from "../schema.ts";

type Moments = "sent_at" | "delivered_at" | "read_at" | "played_at" | "failed_at";

/** A message after a transition of its status. */
export type StatusChange = Pick<
  Message,
  "id" | "business_id" | "chat" | "status" | "error_code" | "error_message" | Moments
> & {
  before: MessageStatus;
  /** W3C traceparent of the message, where the statement returns it. */
  trace?: string | null;
};

/** A status that a message reached, and when. */
export type ReachedStatus = { status: MessageStatus; at: Date };

/**
 * Lists every status that a message reached by a transition, in order: a read message was delivered, even if both
 * receipts came together. Over all transitions of a message each status occurs once.
 */
export function reachedStatuses(change: StatusChange): ReachedStatus[] {
  const rank = (status: MessageStatus) => messageStatuses.indexOf(status);
  return messageStatuses.flatMap((status): ReachedStatus[] => {
    const passed = rank(status) > rank(change.before) && rank(status) <= rank(change.status);
    // No message passes through a failure: it is final, or a later receipt disproves it.
    if (!passed || status === "queued" || (status === "failed" && change.status !== "failed")) return [];
    if (status === "sent" && change.status === "failed") return [];
    const at = change[`${status}_at`];
    return at === null ? [] : [{ status, at }];
  });
}

/** Parses a row of a JSON aggregate, where times are text. */
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
