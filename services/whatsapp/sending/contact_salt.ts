import type { BinaryNode } from "@whiskeysockets/baileys";
import { createHmac } from "node:crypto";
import type { AuthStore } from "../auth/auth_store.ts";

/*
 * WhatsApp refuses some accounts' messages to new contacts with 463, unless they carry a token. A contact that has
 * written gives one (`tctoken`, which Baileys adds). For any other contact WhatsApp Web computes `cstoken` =
 * HMAC-SHA256(salt, LID of the contact). The phone shares the account's salt with the history.
 */

/** The entry of the auth store. */
const name = "contact_salt";

export const readContactSalt = (store: Pick<AuthStore, "read">): Uint8Array | undefined => store.read(name);

export const writeContactSalt = (store: Pick<AuthStore, "write">, salt: Uint8Array): void =>
  store.write([[name, salt]]);

/** Adds the computed token to a message's stanza, unless it carries the contact's own. */
export function addContactToken({ content }: BinaryNode, salt: Uint8Array, lid: string): void {
  if (!Array.isArray(content) || content.some(({ tag }) => tag === "tctoken" || tag === "cstoken")) return;
  content.push({ tag: "cstoken", attrs: {}, content: createHmac("sha256", salt).update(lid).digest() });
}
