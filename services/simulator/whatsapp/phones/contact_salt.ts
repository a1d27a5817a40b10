import { createHmac } from "node:crypto";
import { changeRecord } from "../app_state/app_state.ts";
import { bytesField } from "../app_state/encode.ts";
import type { Simulation } from "../simulation.ts";
import { lidJid } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { bytes, child } from "../wire/stanza.ts";
import type { Phone } from "./phone.ts";

/** The field of a HistorySync message that has the salt; Baileys' definitions lack it. */
const saltField = 19;
/** The field of a SyncActionValue; Baileys' definitions lack it, too. */
const saltAction = 80;
const collection = "regular_high";

/** The account's salt as it lies in an encoded history; empty for an account without one, or with an app state's. */
export function encodedSalt({ contactSalt, appState }: Phone): Buffer {
  if (contactSalt === undefined || appState?.collections[collection] !== undefined) return Buffer.alloc(0);
  return bytesField(saltField, contactSalt);
}

/** WhatsApp gives the account another salt, or none, and the phone shares it in the app state. */
export async function replaceSalt(simulation: Simulation, phone: Phone, salt: string | null): Promise<void> {
  phone.change({ contact_salt: salt ?? undefined });
  const action = salt === null ? undefined : bytesField(saltAction, bytesField(1, Buffer.from(salt, "base64")));
  await changeRecord(simulation, phone, collection, { index: ["nct_salt_sync"], value: action });
}

/** True if a message to a contact that gave no token carries the one that the sender's salt yields for the contact. */
export function hasSaltedToken(message: BinaryNode, from: Phone, to: Phone): boolean {
  if (from.contactSalt === undefined || child(message, "cstoken") === undefined) return false;
  const expected = createHmac("sha256", from.contactSalt).update(lidJid(to.lid)).digest();
  return bytes(message, "cstoken")?.equals(expected) === true;
}
