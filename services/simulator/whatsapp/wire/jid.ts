import { jidDecode } from "@whiskeysockets/baileys";

/** A user's address as a client sends it: by phone number or by LID, with the device (0 is the phone itself). */
export type UserAddress = { user: string; byLid: boolean; device: number };

/** Parses a user's JID. Returns undefined for groups, broadcasts and other JIDs. */
export function userAddress(jid: string | undefined): UserAddress | undefined {
  const decoded = jid === undefined ? undefined : jidDecode(jid);
  if (!decoded || !/^\d+$/.test(decoded.user)) return undefined;
  if (decoded.server !== "s.whatsapp.net" && decoded.server !== "lid" && decoded.server !== "c.us") return undefined;
  return { user: decoded.user, byLid: decoded.server === "lid", device: decoded.device ?? 0 };
}

const withDevice = (user: string, device: number, host: string) =>
  device === 0 ? `${user}@${host}` : `${user}:${device}@${host}`;

export const phoneJid = (phone: string, device = 0) => withDevice(phone, device, "s.whatsapp.net");
export const isGroupJid = (jid: string) => jid.endsWith("@g.us");
export const statusJid = "status@broadcast";
/** True if a JID is a one-way audience: statuses, broadcast lists, channels. */
export const isBroadcastJid = (jid: string) => /^(status|\d{5,25})@broadcast$|^\d{5,25}@newsletter$/.test(jid);
export const groupJid = (id: string) => `${id}@g.us`;
export const lidJid = (lid: string, device = 0) => withDevice(lid, device, "lid");
