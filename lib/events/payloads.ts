import { z } from "zod";
import { publicAttachment, publicContent } from "../messages/index.ts";
import type { EventName } from "./catalogue.ts";

/*
 * The data of every event. A webhook delivery's body is {type, timestamp, data}: the event's name, its time and its
 * data. Live streams carry an excerpt of the same data (entry.ts). Fields may be added; none is removed. `id` names a
 * schema in the OpenAPI document.
 */

const business_id = z.uuid();
const moment = z.iso.datetime();

const received = z
  .object({
    business_id,
    message_id: z.uuid(),
    /** JID of the conversation. */
    chat: z.string(),
    /** JID of the author. */
    sender: z.string(),
    sender_name: z.string().nullable(),
    type: z.string(),
    /** The text or caption of a message of any type. */
    text: z.string().nullable(),
    content: publicContent,
  })
  .meta({ id: "MessageReceived" });

const receipt = z
  .object({
    business_id,
    message_id: z.uuid(),
    chat: z.string(),
    status: z.enum(["sent", "delivered", "read", "played"]),
  })
  .meta({ id: "MessageReceipt" });

const failed = z
  .object({
    business_id,
    message_id: z.uuid(),
    chat: z.string(),
    status: z.literal("failed"),
    error: z.object({ code: z.string(), message: z.string() }),
  })
  .meta({ id: "MessageFailed" });

const media = z
  .object({
    business_id,
    message_id: z.uuid(),
    chat: z.string(),
    type: z.string(),
    /** With URLs that are valid for a day, where the file was stored. */
    media: publicAttachment,
  })
  .meta({ id: "MessageMedia" });

const merged = z
  .object({
    business_id,
    /** JID of the chat that has the messages now. */
    chat: z.string(),
    /** JID under which the messages were before; requests with it still find the chat. */
    alias: z.string(),
    /** Messages that were under the alias. */
    messages: z.int(),
  })
  .meta({ id: "ChatMerged" });

const status = z
  .object({
    business_id,
    /** WhatsApp's id, unique among the statuses of the sender. A withdrawal has the id of the status. */
    status_id: z.string(),
    /** JID of the contact. */
    sender: z.string(),
    sender_name: z.string().nullable(),
    type: z.enum(["text", "image", "video", "audio", "withdrawn"]),
    /** The text or the caption. */
    text: z.string().nullable(),
    posted_at: moment,
  })
  .meta({ id: "StatusReceived" });

const session = z
  .object({
    business_id,
    status: z.string(),
    paired: z.boolean(),
    phone: z.string().nullable(),
    name: z.string().nullable(),
    reason: z.string().nullable(),
    since: moment,
  })
  .meta({ id: "SessionStatus" });

const passkey = z
  .object({
    business_id,
    /** "assertion": the owner has to approve. "confirmation": the owner has to compare the code with the phone's. */
    step: z.enum(["assertion", "phone", "confirmation", "linking"]),
    expires_at: z.iso.datetime({ offset: true }),
    /** Why the last assertion did not succeed. */
    reason: z.string().nullable(),
  })
  .meta({ id: "SessionPasskey" });

const limited = z
  .object({
    business_id,
    /** The messages that the limit blocks until then: all, or those that begin a chat. */
    holds: z.enum(["everything", "first_contacts"]),
    until: moment,
  })
  .meta({ id: "SessionLimited" });

const call = z
  .object({
    business_id,
    call_sid: z.string(),
    direction: z.enum(["inbound", "outbound"]),
    from: z.string(),
    to: z.string(),
    /** The carrier's status of the call. */
    status: z.string(),
    /** Media streams that the call has had. */
    streams: z.int(),
    duration_s: z.int().nullable(),
  })
  .meta({ id: "CallEvent" });

const broadcast = z.object({ business_id, broadcast_id: z.uuid(), status: z.string() }).meta({ id: "BroadcastStatus" });
const paused = z
  .object({ business_id, webhook_id: z.uuid(), url: z.string(), reason: z.string() })
  .meta({ id: "WebhookPaused" });
const test = z.object({ business_id, webhook_id: z.uuid() }).meta({ id: "WebhookTest" });

export const payloads = {
  "message.received": received,
  "message.sent_from_phone": received,
  "message.completed": received,
  "message.sent": receipt,
  "message.delivered": receipt,
  "message.read": receipt,
  "message.played": receipt,
  "message.failed": failed,
  "message.media": media,
  "chat.merged": merged,
  "status.received": status,
  "session.status": session,
  "session.passkey": passkey,
  "session.limited": limited,
  "broadcast.status": broadcast,
  "webhook.paused": paused,
  "webhook.test": test,
  "call.started": call,
  "call.resumed": call,
  "call.ended": call,
} as const satisfies Record<EventName, z.ZodType>;

/** The data of an event. */
export type EventData<N extends EventName> = z.infer<(typeof payloads)[N]>;
