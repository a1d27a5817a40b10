import { z } from "@hono/zod-openapi";
import { hostileKind } from "./messages/hostile.ts";
import { sealing } from "./messages/sealed.ts";
import { companionsGet } from "./messages/write.ts";
import { naming } from "./phones/naming.ts";
import { isBroadcastJid, isGroupJid } from "./wire/jid.ts";

export const phoneNumber = z.string().regex(/^\d{5,15}$/, "digits of a phone number, without +");
const ticks = z.enum(["none", "delivered", "read"]);
export const newPhone = z.strictObject({
  phone: phoneNumber,
  name: z.string().min(1).max(100).optional(),
  ticks: ticks.optional(),
  picture: z.url().optional(),
  naming: naming.optional(),
  usync_naming: naming.optional(),
  spellings: z.array(phoneNumber).max(20).optional(),
  /** Companions get it with the history after the next link. */
  contact_salt: z.base64().min(4).max(128).optional(),
});
export const newToken = z.strictObject({
  to: phoneNumber,
  by: z.enum(["notification", "history"]).default("notification"),
});
export const newContact = z.strictObject({ phone: phoneNumber });
export const qrCode = z.strictObject({ qr: z.string().min(1).max(2000) });
export const linkCode = z.strictObject({
  code: z
    .string()
    .transform((code) => code.replace(/-/g, "").toUpperCase())
    .pipe(z.string().length(8)),
});
export const newSalt = z.strictObject({ salt: z.base64().min(4).max(128).nullable() });
export const refreshRequest = z
  .strictObject({
    qr: z.string().min(1).max(2000).optional(),
    phone: phoneNumber.optional(),
    form: z.enum(["companion_reg_refresh", "pair-device-rotate-qr"]).default("companion_reg_refresh"),
  })
  .refine(({ qr, phone }) => (qr === undefined) !== (phone === undefined), { message: "give either qr or phone" });
export const groupId = z
  .string()
  .regex(/^(\d{10,25}|\d{5,15}-\d{10})(@g\.us)?$/, "a group's JID, or its part before the @");
export const newGroup = z.strictObject({
  /** Of a group from before 2021: its founder's number and a timestamp. */
  id: z
    .string()
    .regex(/^\d{5,15}-\d{10}$/)
    .optional(),
  subject: z.string().min(1).max(100),
  /** The first member creates the group. */
  members: z.array(phoneNumber).min(1).max(1024),
  addressing: z.enum(["lid", "pn"]).default("lid"),
});
export const memberChange = z.strictObject({
  add: z.array(phoneNumber).optional(),
  remove: z.array(phoneNumber).optional(),
});
export const outgoing = z.looseObject({
  to: z.union([phoneNumber, groupId.refine(isGroupJid), z.string().refine(isBroadcastJid)]),
  id: z.string().min(4).max(64).optional(),
  /** The timer of the chat's disappearing messages, in seconds. */
  expiration: z.int().min(0).max(31_536_000).optional(),
  /** The phones whose companions get a broadcast message: a status, a list, a channel. */
  audience: z.array(phoneNumber).max(1000).default([]),
  /** The tag of a status's stanza: WhatsApp delivers statuses under either. */
  stanza: z.enum(["message", "status"]).optional(),
  /** Sent to the receiver's companions instead of the ciphertext. */
  companions_get: companionsGet.optional(),
  /** The receiver's companions get the message again, under these names of its writer: a JID that it lacked so far. */
  again_as: naming.optional(),
  /** Seals the edit as newer phones do. */
  seal: sealing.optional(),
  /** The message's own bytes, base64, for kinds that the simulator cannot compose. */
  wire: z
    .base64()
    .max(1_000_000)
    .transform((text) => Buffer.from(text, "base64"))
    .optional(),
});
export const unknownStanza = z.strictObject({
  tag: z.string().min(1).max(100),
  type: z.string().max(100).optional(),
  child: z.string().min(1).max(100).optional(),
});
export const hostile = z.strictObject({
  to: phoneNumber,
  kind: hostileKind,
  /** The number that a lid_claim is about. */
  claim: phoneNumber.optional(),
});
