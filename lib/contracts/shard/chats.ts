import { z } from "zod";
import { createShardCall, jsonOf } from "./call.ts";
import type { ShardClientOptions, ShardLocation } from "./call.ts";

/* Requests to an open session other than messages: presence, read marks, numbers, pictures. */

/** Numbers per check. */
export const maxNumbers = 50;
/** Messages per read request. */
export const maxRead = 256;

const jid = z.string().min(1);

export const presenceRequest = z.discriminatedUnion("presence", [
  /** The presence of the business to all contacts. */
  z.object({ presence: z.enum(["available", "unavailable"]) }),
  /** The activity of the business in one chat. */
  z.object({ presence: z.enum(["typing", "recording", "paused"]), chat: jid }),
]);
export type PresenceRequest = z.infer<typeof presenceRequest>;

export const readRequest = z.object({
  chat: jid,
  messages: z
    .array(z.object({ wa_message_id: z.string().min(1), sender: jid.nullish() }))
    .min(1)
    .max(maxRead),
});
export type ReadRequest = z.infer<typeof readRequest>;

export const numbersRequest = z.object({
  /** Digits in international form without "+". */
  numbers: z
    .array(z.string().regex(/^[1-9]\d{6,14}$/))
    .min(1)
    .max(maxNumbers),
});

const numbersResponse = z.object({
  /** One entry per number, in order. */
  data: z.array(z.object({ number: z.string(), on_whatsapp: z.boolean(), jid: jid.nullish() })),
});
export type CheckedNumber = z.infer<typeof numbersResponse>["data"][number];

export const pictureQuery = z.object({ of: jid, size: z.enum(["preview", "full"]).default("preview") });
export type PictureQuery = z.input<typeof pictureQuery>;

/** `url`: WhatsApp's URL, valid for some days. Null if there is no picture or the business may not see it. */
const pictureResponse = z.object({ url: z.string().nullable() });

/** The client of an open session's chats. Its methods throw `AppError` as `ShardClient` does. */
export interface ShardChats {
  /** Shows the business as available or unavailable, or as typing in a chat. */
  showPresence(at: ShardLocation, businessId: string, request: PresenceRequest): Promise<void>;
  /** Marks messages of one chat as read. */
  markRead(at: ShardLocation, businessId: string, request: ReadRequest): Promise<void>;
  /** Checks which numbers have a WhatsApp account. Returns one result per number, in order. */
  checkNumbers(at: ShardLocation, businessId: string, numbers: string[]): Promise<CheckedNumber[]>;
  /** Returns the URL of a picture; null if the business may see none. */
  pictureUrl(at: ShardLocation, businessId: string, query: PictureQuery): Promise<string | null>;
}

export function createShardChats(options: ShardClientOptions): ShardChats {
  const call = createShardCall(options);
  const path = (businessId: string, what: string) => `/sessions/${encodeURIComponent(businessId)}/${what}`;
  return {
    showPresence: async (at, businessId, request) => {
      await call(at, "POST", path(businessId, "presence"), { json: request });
    },
    markRead: async (at, businessId, request) => {
      await call(at, "POST", path(businessId, "read"), { json: request });
    },
    checkNumbers: async (at, businessId, numbers) => {
      const answer = await call(at, "POST", path(businessId, "numbers"), { json: { numbers } });
      return (await jsonOf(at, numbersResponse, answer)).data;
    },
    pictureUrl: async (at, businessId, query) => {
      const answer = await call(at, "GET", path(businessId, `picture?${new URLSearchParams(query)}`));
      return (await jsonOf(at, pictureResponse, answer)).url;
    },
  };
}
