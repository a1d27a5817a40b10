import { createHmac } from "node:crypto";
import { safeEqual } from "../../../lib/core/secret.ts";

/*
 * What the carrier shows when it opens a media stream: `<stream>.<expires at, ms>.<mac>`. Bound to the call and to
 * one of its streams, so that it opens nothing else, and that stream only once. It travels in a parameter, because
 * the URL of a stream takes no query.
 */

export type StreamGrant = {
  callSid: string;
  /** Number of the stream. */
  stream: number;
  /** Unix time in ms, by the Redis server's clock. */
  expiresAt: number;
};

const form = /^(\d{1,9})\.(\d{1,15})\.([A-Za-z0-9_-]{43})$/;

export type StreamTokens = {
  sign(grant: StreamGrant): string;
  /** The grant that a token gives for this call; null where it is not ours or not for this call. Expiry is the caller's to judge. */
  read(token: string, callSid: string): StreamGrant | null;
};

/** Tokens under a key of their own that every replica derives from the carrier's token. */
export function createStreamTokens(authToken: string): StreamTokens {
  const key = createHmac("sha256", authToken).update("prosaas media stream").digest();
  const mac = ({ callSid, stream, expiresAt }: StreamGrant) =>
    createHmac("sha256", key).update(`${callSid}/${stream}/${expiresAt}`).digest("base64url");
  return {
    sign: (grant) => `${grant.stream}.${grant.expiresAt}.${mac(grant)}`,
    read: (token, callSid) => {
      const [, stream, expiresAt, given] = form.exec(token) ?? [];
      if (given === undefined) return null;
      const grant = { callSid, stream: Number(stream), expiresAt: Number(expiresAt) };
      return safeEqual(mac(grant), given) ? grant : null;
    },
  };
}
