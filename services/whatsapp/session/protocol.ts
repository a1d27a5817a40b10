import { isJidNewsletter } from "@whiskeysockets/baileys";
import type { BaileysEventMap, BinaryNode } from "@whiskeysockets/baileys";

/*
 * The ledger of everything that WhatsApp and Baileys can send to a session: every type of stanza, notification and
 * event. Anything else is unknown: it is acknowledged, counted, logged once and alarmed (session/connection.ts).
 * protocol.test.ts compares the ledger with the installed Baileys.
 */

/** `handled`: by which part of this service, or by Baileys alone. `ignored`: why on purpose. */
type Verdict = { handled: string } | { ignored: string };

const handled = (by: string): Verdict => ({ handled: by });
const ignored = (because: string): Verdict => ({ ignored: because });

/** The names of children of `ib` and `iq` depend on the tag; others are named by their type. */
export const stanzas: Record<string, Verdict> = {
  success: handled("Baileys: the login is open"),
  failure: handled("session/ends.ts"),
  "stream:error": handled("session/ends.ts"),
  xmlstreamend: handled("Baileys: ends the connection"),
  "stream:features": ignored("a client that resumes needs none"),
  message: handled("receiving/intake.ts"),
  status: handled("session/connection.ts: as a message, except a channel's"),
  ack: handled("session/connection.ts: the server's answer to a message"),
  presence: handled("chats/presence.ts"),
  chatstate: handled("chats/presence.ts"),
  call: ignored("calls come through the carrier; Baileys acknowledges them"),
  error: ignored("it answers a stanza that Baileys sent"),
  "iq/pair-device": handled("session/pairing_codes.ts"),
  "iq/pair-success": handled("session/login.ts"),
  "iq/ping": handled("Baileys: answers"),
  "ib/offline": handled("session/backlog.ts: the backlog is complete"),
  "ib/offline_preview": handled("session/backlog.ts: requests the backlog"),
  "ib/edge_routing": handled("auth/auth_state.ts: kept for the next login"),
  "ib/downgrade_webclient": handled("session/ends.ts"),
  "ib/dirty": ignored("contacts are not synchronised"),
  "ib/thread_metadata": ignored("it counts the backlog by chat"),
  "ib/tos": ignored("terms are accepted on the phone"),
  "ib/gpia": ignored("it attests phones"),
  "ib/client_expiration": handled("session/ends.ts: a login with the old version is refused"),
};

export const notifications: Record<string, Verdict> = {
  "w:gp2": handled("sending/relay.ts: a group changed"),
  mediaretry: handled("media/reupload.ts"),
  encrypt: handled("Baileys: uploads prekeys, or starts another session with a contact"),
  devices: handled("Baileys: the devices of an account changed"),
  privacy_token: handled("Baileys: keeps a contact's token"),
  link_code_companion_reg: handled("Baileys: pairs by code"),
  companion_reg_refresh: handled("session/pairing_codes.ts"),
  "pair-device-rotate-qr": handled("session/pairing_codes.ts"),
  passkey_prologue_request: handled("session/passkey/exchange.ts"),
  crsc_continuation: handled("session/passkey/exchange.ts"),
  account_sync: handled("Baileys: the account's own devices, privacy and blocks"),
  mex: handled("Baileys: limits of the account"),
  server_sync: handled("Baileys: fetches the app state, of which sending/contact_salt.ts takes the salt"),
  picture: ignored("pictures are fetched when they are asked for"),
  newsletter: ignored("channels are no chats"),
  status: ignored("the text about a contact is not stored"),
  business: ignored("verified names are not stored"),
  contacts: ignored("contacts are not synchronised"),
  disappearing_mode: ignored("each message carries the timer of its chat"),
  psa: ignored("announcements of WhatsApp itself"),
  features: ignored("features of other clients"),
  pay: ignored("payments are made on the phone"),
  server: ignored("notes of WhatsApp's servers"),
  "w:growth": ignored("invitations are shown on the phone"),
  hosted: ignored("the JIDs of accounts that a provider hosts say so"),
  waffle: ignored("links to accounts of other networks"),
};

export const receipts: Record<string, Verdict> = {
  "": handled("receiving/receipts.ts: delivered"),
  inactive: handled("receiving/receipts.ts: delivered"),
  read: handled("receiving/receipts.ts"),
  played: handled("receiving/receipts.ts"),
  retry: handled("Baileys: resends the message from the ledger"),
  "server-error": handled("media/reupload.ts"),
  sender: ignored("a device of the business has its copy"),
  "read-self": ignored("another device of the business read the message"),
  "played-self": ignored("another device of the business played the message"),
  peer_msg: ignored("the phone has a request of this device"),
  hist_sync: ignored("history is not synchronised"),
  enc_rekey_retry: ignored("it concerns keys of calls"),
};

/** Forms of ciphertexts. */
export const ciphertexts: Record<string, Verdict> = {
  msg: handled("session/signal_repository.ts"),
  pkmsg: handled("session/signal_repository.ts"),
  skmsg: handled("session/signal_repository.ts"),
  msmsg: handled("receiving/placeholders.ts: a message of a bot is unavailable"),
};

export const baileysEvents = {
  "connection.update": handled("session/connection.ts"),
  "creds.update": handled("session/connection.ts"),
  call: ignored("calls come through the carrier"),
  "presence.update": handled("chats/presence.ts"),
  "messages.media-update": handled("media/reupload.ts"),
  "lid-mapping.update": ignored("auth/auth_state.ts stores the mapping when Baileys writes it"),
  "message-capping.update": ignored("the limits are read after each login"),
  "messages.upsert": ignored("receiving/intake.ts takes messages before the acknowledgement, and not from events"),
  "messages.update": ignored("ticks are taken from stanzas: Baileys merges them"),
  "messages.reaction": ignored("a reaction is a message"),
  "messages.delete": ignored("a deletion is a message"),
  "message-receipt.update": ignored("ticks are taken from stanzas"),
  "messaging-history.set": ignored("history is not synchronised"),
  "messaging-history.status": ignored("history is not synchronised"),
  "chats.upsert": ignored("Postgres has the chats"),
  "chats.update": ignored("Postgres has the chats"),
  "chats.delete": ignored("a chat deleted on the phone stays in Postgres"),
  "chats.lock": ignored("a lock concerns the phone"),
  "contacts.upsert": ignored("contacts are not synchronised"),
  "contacts.update": ignored("contacts are not synchronised"),
  "groups.upsert": ignored("groups are read when they are needed"),
  "groups.update": ignored("sending/relay.ts takes the notification"),
  "group-participants.update": ignored("sending/relay.ts takes the notification"),
  "group.join-request": ignored("requests are answered on the phone"),
  "group.member-tag.update": ignored("tags of members are not stored"),
  "blocklist.set": ignored("blocks are made on the phone"),
  "blocklist.update": ignored("blocks are made on the phone"),
  "labels.edit": ignored("labels are kept on the phone"),
  "labels.association": ignored("labels are kept on the phone"),
  "newsletter.reaction": ignored("channels are no chats"),
  "newsletter.view": ignored("channels are no chats"),
  "newsletter-participants.update": ignored("channels are no chats"),
  "newsletter-settings.update": ignored("channels are no chats"),
  "settings.update": ignored("settings concern the phone"),
} satisfies Record<keyof BaileysEventMap, Verdict>;

/** Stanzas that arrive only if WhatsApp delivers to this connection. Even a deaf one gets answers to queries. */
export const delivered: ReadonlySet<string> = new Set([
  "message",
  "status",
  "receipt",
  "ack",
  "notification",
  "call",
  "presence",
  "chatstate",
]);

/** Stanzas that only answer what this client sent. */
const answers: ReadonlySet<string> = new Set(["result", "error"]);

/** The name in the ledger of a stanza that is not in it; undefined for one that is. */
export function unknownName(stanza: Partial<BinaryNode>): string | undefined {
  const { tag, attrs = {}, content } = stanza;
  // The frames of the handshake are no stanzas.
  if (tag === undefined) return undefined;
  const child = Array.isArray(content) ? content[0]?.tag : undefined;
  const type = attrs["type"] ?? "";
  switch (tag) {
    case "notification":
      return nameUnless(notifications, type, tag);
    case "receipt":
      return nameUnless(receipts, type, tag);
    case "message":
    case "status": {
      const forms = Array.isArray(content) ? content.filter((node) => node.tag === "enc") : [];
      const form = forms.map((node) => node.attrs["type"] ?? "").find((each) => !Object.hasOwn(ciphertexts, each));
      return form === undefined ? undefined : `enc/${form}`;
    }
    case "iq": {
      if (answers.has(type)) return undefined;
      const name = attrs["xmlns"] === "urn:xmpp:ping" ? "ping" : (child ?? "");
      return Object.hasOwn(stanzas, `iq/${name}`) ? undefined : `iq/${name}`;
    }
    case "ib":
      return Object.hasOwn(stanzas, `ib/${child ?? ""}`) ? undefined : `ib/${child ?? ""}`;
    default:
      return Object.hasOwn(stanzas, tag) ? undefined : tag;
  }
}

const nameUnless = (known: Record<string, Verdict>, type: string, tag: string) =>
  Object.hasOwn(known, type) ? undefined : `${tag}/${type}`;

/** True for a status of a channel, which is not a message to this account: it is acknowledged and dropped. */
export const isChannelStatus = ({ tag, attrs }: Partial<BinaryNode>): boolean =>
  tag === "status" && isJidNewsletter(attrs?.["from"]) === true;

/**
 * The acknowledgement of an unknown stanza, or of a channel's status. Undefined where Baileys sends one, or where none
 * is expected.
 */
export function acknowledgementOf(stanza: Partial<BinaryNode>): BinaryNode | undefined {
  const { tag = "", attrs = {} } = stanza;
  const { id, from, type, participant } = attrs;
  const acknowledgedByBaileys =
    ["notification", "receipt", "message", "status"].includes(tag) && !isChannelStatus(stanza);
  if (acknowledgedByBaileys || tag === "iq" || tag === "ib" || id === undefined || from === undefined) return undefined;
  const more = { ...(type === undefined ? {} : { type }), ...(participant === undefined ? {} : { participant }) };
  return { tag: "ack", attrs: { id, to: from, class: tag, ...more } };
}
