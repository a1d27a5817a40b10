import { z } from "zod";
import { createShardCall, jsonOf } from "./call.ts";
import type { ShardClientOptions, ShardLocation } from "./call.ts";

/* What is asked of a session for the files of its messages. The files themselves never pass through a shard. */

export const mediaConnectionRequest = z.object({
  /** Asks WhatsApp anew: the host did not take the last token. */
  renew: z.boolean().default(false),
});

/** Where files are uploaded to, best first, and the token that the hosts ask for. */
export const mediaConnection = z.object({ auth: z.string().min(1), hosts: z.array(z.string().min(1)).min(1) });
export type MediaConnection = z.infer<typeof mediaConnection>;

/** A message whose file the host has no longer. */
export const reuploadRequest = z.object({
  wa_message_id: z.string().min(1),
  chat: z.string().min(1),
  from_me: z.boolean(),
  /** In a group, who wrote it. */
  sender: z.string().nullish(),
  media_key: z.base64(),
});
export type ReuploadRequest = z.infer<typeof reuploadRequest>;

/** `direct_path`: where it lies now; null where the phone does not have it either. */
export const reuploadResponse = z.object({ direct_path: z.string().nullable() });

/** Calls on an open session. They throw `AppError` as those of `ShardClient` do. */
export interface ShardMedia {
  connection(at: ShardLocation, businessId: string, renew: boolean): Promise<MediaConnection>;
  /** Has the business's phone upload a file again; null where it cannot. */
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
