import { isPnUser, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { Contact } from "@whiskeysockets/baileys";
import { AppError } from "../../../lib/core/errors.ts";

const phoneForm = /^[1-9]\d{6,14}$/;
/** A number or a LID has no leading zero. A group's JID may be its founder's number and a timestamp. */
const jidForm = /^[1-9]\d{0,24}(@(s\.whatsapp\.net|lid)|(-\d{1,15})?@g\.us)$/;

/** The JID of an account by its phone number, as digits. */
export const phoneJid = (number: string): string => `${number}@s.whatsapp.net`;

/** The JID of an account by its LID, as digits. */
export const lidJid = (lid: string): string => `${lid}@lid`;

/** The chat of a recipient: digits in international form, or the JID of a person or a group. */
export function chatOf(to: string): string {
  if (phoneForm.test(to)) return phoneJid(to);
  if (isJid(to)) return to;
  throw new AppError("invalid_request", `"to" must be 7 to 15 digits in international form, or a JID.`);
}

/** True if this is the JID of a person or a group, without a device. */
export const isJid = (jid: string): boolean => jidForm.test(jid);

/** The phone number of a person, if either name is one; without the device. */
export function preferPhone(jid: string, alternative: string | null | undefined): string {
  if (alternative && isPnUser(alternative) && !isPnUser(jid)) return jidNormalizedUser(alternative);
  // An account hosted by a provider is the same person without the suffix.
  return jidNormalizedUser(jid)
    .replace(/@hosted$/, "@s.whatsapp.net")
    .replace(/@hosted\.lid$/, "@lid");
}

/** The JIDs of the business's own account, phone number and LID, without the device. */
export function ownJidsOf(me: Contact | undefined): string[] {
  return [me?.id, me?.lid].flatMap((jid) => (jid ? [jidNormalizedUser(jid)] : []));
}
