/*
 * Every event of the platform, once: webhook subscriptions, live streams, OpenAPI's `webhooks` section and the console
 * read this list. payloads.ts has the schema of each event's data; it is a file of its own so that the console's bundle
 * carries no schema library.
 */

/** Where an event goes: to webhook endpoints that subscribe to it, to live streams (GET …/events), or to both. */
export type Outlet = "webhook" | "stream";

export type EventDefinition = {
  description: string;
  /** Scope that an API key needs to see the event in a live stream. */
  scope: string;
  outlets: readonly Outlet[];
};

const both = ["webhook", "stream"] as const;

export const events = {
  "message.received": {
    description: "A message arrived from a contact.",
    scope: "messages:read",
    outlets: both,
  },
  "message.sent_from_phone": {
    description:
      "A person of the business wrote a message on its own phone or on another device linked to it, and not through " +
      "this API. A bot that answers in the chat can stop.",
    scope: "messages:read",
    outlets: both,
  },
  "message.completed": {
    description:
      "The content of a message is known now. The message was announced before, with the type `unavailable` or " +
      "`unknown`.",
    scope: "messages:read",
    outlets: both,
  },
  "message.sent": { description: "WhatsApp accepted an outbound message.", scope: "messages:read", outlets: both },
  "message.delivered": {
    description: "An outbound message reached the recipient's phone.",
    scope: "messages:read",
    outlets: both,
  },
  "message.read": { description: "The recipient read an outbound message.", scope: "messages:read", outlets: both },
  "message.played": {
    description: "The recipient played an outbound voice message.",
    scope: "messages:read",
    outlets: both,
  },
  "message.failed": {
    description: "An outbound message failed and will not be retried.",
    scope: "messages:read",
    outlets: both,
  },
  "message.media": {
    description: "The file of an inbound message was stored, or cannot be fetched.",
    scope: "messages:read",
    outlets: both,
  },
  "chat.merged": {
    description: "Two chats turned out to be of one account. The messages of `alias` are now under `chat`.",
    scope: "messages:read",
    outlets: both,
  },
  "status.received": {
    description:
      "A contact posted a status, or withdrew one, and the business has `receive_statuses`. A status is no message: " +
      "it has no chat and is not stored, and its file is not fetched. It may be announced twice.",
    scope: "messages:read",
    outlets: both,
  },
  "session.status": {
    description: "The WhatsApp session changed its status.",
    scope: "whatsapp:read",
    outlets: both,
  },
  "session.passkey": {
    description:
      "WhatsApp links the account with its passkey only. A step of the link began, or WhatsApp refused the passkey.",
    scope: "whatsapp:read",
    outlets: both,
  },
  "session.limited": {
    description: "The account reached a sending limit, either its own daily limit or one that WhatsApp imposed.",
    scope: "whatsapp:read",
    outlets: both,
  },
  "broadcast.status": { description: "A broadcast changed its status.", scope: "broadcasts:read", outlets: both },
  "webhook.paused": {
    description: "A webhook endpoint of the business was paused or disabled because its deliveries failed.",
    scope: "webhooks:read",
    outlets: both,
  },
  "webhook.test": {
    description: "A test delivery that was requested through the API. It goes to the tested endpoint only.",
    scope: "webhooks:read",
    outlets: ["webhook"],
  },
  "call.started": { description: "A call came in or was dialled.", scope: "calls:read", outlets: both },
  "call.resumed": {
    description: "A call continues on a new media stream after its previous one broke.",
    scope: "calls:read",
    outlets: both,
  },
  "call.ended": { description: "A call ended.", scope: "calls:read", outlets: both },
} as const satisfies Record<string, EventDefinition>;

export type EventName = keyof typeof events;

/**
 * Items of a live stream that are no events: states that are sent while a reader is connected, and `reset`. They lie in
 * no Redis stream and have no id. Admin keys alone receive `shards.changed`; every reader receives `reset`.
 */
export const streamNotices = {
  "whatsapp.pairing": { description: "Each new QR or pairing code.", scope: "whatsapp:write" },
  "shards.changed": { description: "The list of shards, at first and after each change.", scope: null },
  reset: { description: "Events may have been missed: fetch the shown state again.", scope: null },
} as const;
export type StreamNotice = keyof typeof streamNotices;

const names = Object.keys(events) as EventName[];

export function goesTo(name: EventName, outlet: Outlet): boolean {
  return (events[name].outlets as readonly Outlet[]).includes(outlet);
}

/** Events that webhook endpoints receive. */
export const webhookEvents = names.filter((name) => goesTo(name, "webhook"));

export type SubscribableEvent = Exclude<EventName, "webhook.test">;
/** Events that an endpoint can subscribe to. `webhook.test` needs no subscription. */
export const subscribableEvents = webhookEvents.filter((name): name is SubscribableEvent => name !== "webhook.test");

/** Events that live streams carry. */
export const streamEvents = names.filter((name) => goesTo(name, "stream"));
