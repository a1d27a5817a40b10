import { z } from "zod";
import { createShardCall, jsonOf } from "./call.ts";
import type { ShardClientOptions, ShardLocation } from "./call.ts";

/* Requests to a session about the files of its messages. The files themselves never pass through a shard. */

export const mediaConnectionRequest = z.object({
  /** Requests a new token from WhatsApp, because the host rejected the last one. */
  renew: z.boolean().default(false),
});

/** The upload hosts, best first, and the token that they require. */
export const mediaConnection = z.object({ auth: z.string().min(1), hosts: z.array(z.string().min(1)).min(1) });
export type MediaConnection = z.infer<typeof mediaConnection>;

/** A message whose file is no longer on the host. */
export const reuploadRequest = z.object({
  wa_message_id: z.string().min(1),
  chat: z.string().min(1),
  from_me: z.boolean(),
  /** The author, in a group. */
  sender: z.string().nullish(),
  media_key: z.base64(),
});
export type ReuploadRequest = z.infer<typeof reuploadRequest>;

/** `direct_path`: the new path of the file. Null if the phone does not have it either. */
const reuploadResponse = z.object({ direct_path: z.string().nullable() });

/** The client of an open session's media. Its methods throw `AppError` as `ShardClient` does. */
export interface ShardMedia {
  connection(at: ShardLocation, businessId: string, renew: boolean): Promise<MediaConnection>;
  /** Asks the business's phone to upload a file again. Returns its new path; null if the phone does not have it. */
  reupload(at: ShardLocation, businessId: string, request: ReuploadRequest): Promise<string | null>;
}

export function createShardMedia(options: ShardClientOptions): ShardMedia {
  const call = createShardCall(options);
  const path = (businessId: string, what: string) => `/sessions/${encodeURIComponent(businessId)}/${what}`;
  return {
    connection: async (at, businessId, renew) =>
      jsonOf(at, mediaConnection, await call(at, "POST", path(businessId, "media_connection"), { json: { renew } })),
    reupload: async (at, businessId, request) => {
      const answer = await call(at, "POST", path(businessId, "reupload"), { json: request });
      return (await jsonOf(at, reuploadResponse, answer)).direct_path;
    },
  };
}
