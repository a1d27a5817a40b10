import { proto } from "@whiskeysockets/baileys";
import type { WAMessage } from "@whiskeysockets/baileys";
import { createWindowLimiter } from "../../../lib/core/window_limiter.ts";
import type { StatusData } from "../../../lib/contracts/shard/schemas.ts";
import type { AccountNames } from "../accounts/account_book.ts";
import type { AuthStore } from "../auth/auth_store.ts";
import { truncate } from "../codec/bounds.ts";
import { captionOf } from "../codec/change.ts";
import { isJid, preferPhone } from "../codec/jid.ts";
import { unwrapped } from "../codec/unwrap.ts";
import { maxId, maxName } from "./inbound.ts";

export type ReceivedStatus = Pick<WAMessage, "key" | "messageTimestamp" | "pushName"> & { message: proto.IMessage };

const hourMs = 3_600_000;
/** Statuses an hour of one contact, and of all contacts of a business. People post a few a day. */
export const statusShare = { contact: 30, business: 600 };
/** Contacts whose statuses are counted. */
const maxContacts = 1_000;
/** WhatsApp allows 700 characters. */
const maxText = 1_024;
/** Phones show a status for 24 hours. */
const shownMs = 24 * hourMs;
const business = "";

/** The entry of the auth store that says that statuses are received. */
const name = "statuses";

const { REVOKE } = proto.Message.ProtocolMessage.Type;

/**
 * Takes the statuses of contacts, if the business wants them. The setting is kept in the auth store, so that it
 * survives restarts and moves.
 */
export class Statuses {
  readonly #store: () => Pick<AuthStore, "read" | "write"> | undefined;
  readonly #counts = createWindowLimiter({ windowMs: hourMs, maxCallers: maxContacts });

  constructor(store: () => Pick<AuthStore, "read" | "write"> | undefined) {
    this.#store = store;
  }

  /** Switches the receiving of statuses on or off. */
  receive(on: boolean): void {
    this.#store()?.write([[name, on ? Buffer.from("1") : null]]);
  }

  /** Undefined for what is no status of a contact, and while the business wants none. */
  take(received: ReceivedStatus, accounts: AccountNames): StatusData | "over_share" | undefined {
    if (this.#store()?.read(name) === undefined) return undefined;
    const status = statusIn(received, accounts);
    if (status === undefined) return undefined;
    const isWithinShare =
      this.#counts.take(status.sender, statusShare.contact).granted &&
      this.#counts.take(business, statusShare.business).granted;
    return isWithinShare ? status : "over_share";
  }
}

function statusIn(
  { key, messageTimestamp, pushName, message }: ReceivedStatus,
  accounts: AccountNames,
): StatusData | undefined {
  if (key.fromMe || !key.participant || !key.id || key.id.length > maxId) return undefined;
  const sender = accounts.chatOf(preferPhone(key.participant, key.participantAlt));
  const postedAt = Number(messageTimestamp) * 1_000;
  const now = Date.now();
  if (!isJid(sender) || !(postedAt > now - shownMs)) return undefined;
  const shown = shownIn(message);
  if (shown === undefined) return undefined;
  return {
    event: "status.received",
    status_id: shown.withdraws ?? key.id,
    sender,
    sender_name: pushName ? truncate(pushName, maxName) : null,
    type: shown.type,
    text: shown.text ? truncate(shown.text, maxText) : null,
    posted_at: new Date(Math.min(postedAt, now)).toISOString(),
  };
}

type Shown = { type: StatusData["type"]; text?: string | null | undefined; withdraws?: string };

/** Undefined for keys to later statuses, reactions, and kinds that phones do not offer for statuses. */
function shownIn(message: proto.IMessage): Shown | undefined {
  const { content, kind } = unwrapped(message);
  switch (kind) {
    case "conversation":
      return { type: "text", text: content.conversation };
    case "extendedTextMessage":
      return { type: "text", text: content.extendedTextMessage?.text };
    case "imageMessage":
      return { type: "image", text: captionOf(content) };
    case "videoMessage":
      return { type: "video", text: captionOf(content) };
    case "audioMessage":
      return { type: "audio" };
    case "protocolMessage": {
      const { type, key } = content.protocolMessage ?? {};
      return type === REVOKE && key?.id && key.id.length <= maxId
        ? { type: "withdrawn", withdraws: key.id }
        : undefined;
    }
    default:
      return undefined;
  }
}
