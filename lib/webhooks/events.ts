import { z } from "zod";
import { publicAttachment, publicContent } from "../messages/index.ts";

/*
 * What endpoints are told. A delivery's body is {type, timestamp, data}: type is the event, timestamp when it happened,
 * data as below. Fields may be added; none is taken away.
 */

const business_id = z.uuid();
const moment = z.iso.datetime();

const received = z.object({
  business_id,
  message_id: z.uuid(),
  /** JID of the conversation. */
  chat: z.string(),
  /** JID of who wrote it. */
  sender: z.string(),
  sender_name: z.string().nullable(),
  type: z.string(),
  /** What it says in words, of whichever kind it is. */
  text: z.string().nullable(),
  content: publicContent,
});

const moved = z.object({
  business_id,
  message_id: z.uuid(),
  chat: z.string(),
  status: z.enum(["sent", "delivered", "read", "played"]),
});

const failed = z.object({
  business_id,
  message_id: z.uuid(),
  chat: z.string(),
  status: z.literal("failed"),
  error: z.object({ code: z.string(), message: z.string() }),
});

const media = z.object({
  business_id,
  message_id: z.uuid(),
  chat: z.string(),
  type: z.string(),
  /** With addresses that are good for a day, where its content is there. */
  media: publicAttachment,
});

const session = z.object({
  business_id,
  status: z.string(),
  paired: z.boolean(),
  phone: z.string().nullable(),
  name: z.string().nullable(),
  reason: z.string().nullable(),
  since: moment,
});

const limited = z.object({
  business_id,
  /** What may not be sent until then: anything, or what begins a chat. */
  holds: z.enum(["everything", "first_contacts"]),
  until: moment,
});

const broadcast = z.object({ business_id, broadcast_id: z.uuid(), status: z.string() });
const paused = z.object({ business_id, webhook_id: z.uuid(), url: z.string(), reason: z.string() });
const test = z.object({ business_id, webhook_id: z.uuid() });

/** Every event, with the schema of its data. */
export const webhookEvents = {
  "message.received": received,
  "message.sent": moved,
  "message.delivered": moved,
  "message.read": moved,
  "message.played": moved,
  "message.failed": failed,
  /** The file of a message that was received was fetched, or cannot be had. */
  "message.media": media,
  "session.status": session,
  /** The account has reached a limit: its own of the day, or one that WhatsApp told it by refusing messages. */
  "session.limited": limited,
  "broadcast.status": broadcast,
  /** Another endpoint of the business keeps failing. */
  "webhook.paused": paused,
  /** Asked for by the endpoint's owner; goes to that endpoint, whatever it subscribed to. */
  "webhook.test": test,
} as const;

export type WebhookEvent = keyof typeof webhookEvents;
export type EventData<E extends WebhookEvent> = z.infer<(typeof webhookEvents)[E]>;

/** What an endpoint can subscribe to. */
export const subscribable = (Object.keys(webhookEvents) as WebhookEvent[]).filter((event) => event !== "webhook.test");
