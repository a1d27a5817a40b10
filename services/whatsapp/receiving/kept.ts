import { proto } from "@whiskeysockets/baileys";
import { z } from "zod";
import { inboundData } from "../../../lib/contracts/shard/schemas.ts";
import type { InboundData } from "../../../lib/contracts/shard/schemas.ts";
import { yieldToLoop } from "../../../lib/core/loop_budget.ts";
import { noAccountNames } from "../accounts/account_book.ts";
import type { Original } from "../codec/original.ts";
import { inboundOf } from "./inbound.ts";
import { maxUnreadBytes } from "./kept_messages.ts";
import type { KeptMessages } from "./kept_messages.ts";

/** One business's received messages that are still needed. */
export type Kept = {
  original(waMessageId: string, original: { message: Uint8Array; authors: string[] }): Promise<void>;
  /** An earlier message. `own`: the JIDs of the business, which wrote the messages of the ledger. */
  originalOf(waMessageId: string, own: string[]): Original | undefined;
  /** Keeps a message of a kind that this version does not know. Longer ones than 64 KB are not kept. */
  unread(data: InboundData, bytes: Uint8Array): Promise<void>;
};

const bytes = z.base64().transform((text) => new Uint8Array(Buffer.from(text, "base64")));
const keptUnread = z.object({ data: inboundData, bytes });

/** `sentMessage`: the plaintext of a message that the business sent. */
export function keptFor(
  businessId: string,
  messages: KeptMessages,
  sentMessage: (waMessageId: string) => Uint8Array | undefined,
): Kept {
  return {
    original: (id, { message, authors }) =>
      messages.keep(businessId, "original", id, Buffer.concat([Buffer.from(`${authors.join(" ")}\n`), message])),
    originalOf: (id, own) => {
      const sent = sentMessage(id);
      if (sent !== undefined) return { message: proto.Message.decode(sent), authors: own };
      const kept = messages.get(businessId, "original", id);
      if (kept === undefined) return undefined;
      const end = kept.indexOf("\n");
      const authors = kept.subarray(0, end).toString("utf8").split(" ");
      return { message: proto.Message.decode(kept.subarray(end + 1)), authors };
    },
    unread: async (data, content) => {
      if (content.length > maxUnreadBytes) return;
      await messages.keep(businessId, "unread", data.wa_message_id, encode({ data, bytes: content }));
    },
  };
}

/**
 * Decodes the kept messages of unknown kinds again, and hands those that this version knows to `onRead`. Each is
 * forgotten once that has resolved. Resolves with their number.
 */
export async function readAgain(
  messages: KeptMessages,
  businessId: string,
  onRead: (data: InboundData) => Promise<void>,
): Promise<number> {
  let read = 0;
  for (const { wa_message_id: id, body } of messages.rowsOf(businessId, "unread")) {
    const data = decodedAgain(body);
    if (data !== undefined && data.type !== "unknown") {
      await onRead(data);
      await messages.forget(businessId, "unread", id);
      read += 1;
    }
    await yieldToLoop();
  }
  return read;
}

/** Undefined for a message that this version cannot decode either. */
function decodedAgain(body: Uint8Array): InboundData | undefined {
  try {
    const { data, bytes: content } = keptUnread.parse(JSON.parse(Buffer.from(body).toString("utf8")));
    const outer = proto.Message.decode(content);
    const { wa_message_id: id, chat, sender, from_me: fromMe } = data;
    const again = inboundOf({
      key: { id, remoteJid: chat, fromMe, ...(sender === chat ? {} : { participant: sender }) },
      timestampS: data.timestamp / 1000,
      pushName: data.push_name,
      message: outer.deviceSentMessage?.message ?? outer,
      bytes: content,
      own: fromMe ? [sender] : [],
      original: () => undefined,
      accounts: noAccountNames,
    });
    return again && { ...again, chat, sender, timestamp: data.timestamp };
  } catch {
    return undefined;
  }
}

function encode(value: Record<string, unknown>): Buffer {
  const plain = Object.entries(value).map(([name, part]) => [
    name,
    part instanceof Uint8Array ? Buffer.from(part).toString("base64") : part,
  ]);
  return Buffer.from(JSON.stringify(Object.fromEntries(plain)));
}
