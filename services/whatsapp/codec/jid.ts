import { isPnUser, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { Contact } from "@whiskeysockets/baileys";
import { AppError } from "../../../lib/core/errors.ts";

const phoneForm = /^[1-9]\d{6,14}$/;
/** A number or a LID has no leading zero; a group may be named by its founder's number and a time. */
const jidForm = /^[1-9]\d{0,24}(@(s\.whatsapp\.net|lid)|(-\d{1,15})?@g\.us)$/;

/** The chat that a recipient names: digits in international form, or the JID of a person or a group. */
export function chatOf(to: string): string {
  if (phoneForm.test(to)) return `${to}@s.whatsapp.net`;
  if (isJid(to)) return to;
  throw new AppError("invalid_request", `"to" must be 7 to 15 digits in international form, or a JID.`);
}

/** Whether this is the JID of a person or a group, without a device. */
export const isJid = (jid: string): boolean => jidForm.test(jid);

/** Of the two names of one person, the phone number where it is known; without the device. */
export function preferPhone(jid: string, alternative: string | null | undefined): string {
  if (alternative && isPnUser(alternative) && !isPnUser(jid)) return jidNormalizedUser(alternative);
  // Somebody whose account a provider hosts is the same person without it.
  return jidNormalizedUser(jid)
    .replace(/@hosted$/, "@s.whatsapp.net")
    .replace(/@hosted\.lid$/, "@lid");
}

/** The JIDs of the business's own account, phone number and LID, without the device. */
export function ownJidsOf(me: Contact | undefined): string[] {
  return [me?.id, me?.lid].flatMap((jid) => (jid ? [jidNormalizedUser(jid)] : []));
}
