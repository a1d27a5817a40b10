import { z } from "zod";
import { lidJid, phoneJid, userAddress } from "../wire/jid.ts";
import type { Phone } from "./phone.ts";

/**
 * The names of an account in the stanzas that other accounts get.
 *   number     its number, with the LID beside it
 *   lid        its LID, with the number beside it
 *   lid_only   its LID alone; usync, the roster of a group and an address book still reveal the number
 */
export const naming = z.enum(["number", "lid", "lid_only"]);
export type Naming = z.output<typeof naming>;

/** The attributes of a stanza that an account sent. */
export function senderNames(sender: Phone, device = 0, by = sender.naming): Record<string, string> {
  switch (by) {
    case "number":
      return { from: phoneJid(sender.phone, device), sender_lid: lidJid(sender.lid, device) };
    case "lid":
      return { from: lidJid(sender.lid, device), sender_pn: phoneJid(sender.phone) };
    case "lid_only":
      return { from: lidJid(sender.lid, device) };
  }
}

/** The JID of an account's device, as its other devices see it: by LID in a chat that is addressed so. */
export const ownJid = ({ phone, lid }: Phone, device: number, chat: string): string =>
  userAddress(chat)?.byLid ? lidJid(lid, device) : phoneJid(phone, device);

/** The attributes of a message to a broadcast list or of a status, by which its writer appears. */
export function writerNames({ naming: by, phone, lid }: Phone): Record<string, string> {
  if (by === "number") return { participant: phoneJid(phone), participant_lid: lidJid(lid) };
  return { participant: lidJid(lid), ...(by === "lid" ? { participant_pn: phoneJid(phone) } : {}) };
}

/** The attributes of an answer of usync that was asked for the account's number. */
export function usyncNames(account: Phone): Record<string, string> {
  switch (account.usyncNaming) {
    case "number":
      return { jid: phoneJid(account.phone) };
    case "lid":
      return { jid: lidJid(account.lid), pn_jid: phoneJid(account.phone) };
    case "lid_only":
      return { jid: lidJid(account.lid) };
  }
}

/** The attributes of a copy, for one's own companion, of a message to `recipient`. */
export function copyNames(own: Phone, recipient: Phone): Record<string, string> {
  if (recipient.naming === "number") {
    return {
      from: phoneJid(own.phone),
      recipient: phoneJid(recipient.phone),
      peer_recipient_lid: lidJid(recipient.lid),
    };
  }
  return {
    from: lidJid(own.lid),
    // Names the sender, and not the chat.
    sender_pn: phoneJid(own.phone),
    recipient: lidJid(recipient.lid),
    ...(recipient.naming === "lid" ? { peer_recipient_pn: phoneJid(recipient.phone) } : {}),
  };
}
