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

/**
 * Tokens under keys that every replica derives from the carrier's tokens. The first signs, all verify: a call that was
 * offered its stream before a rotation keeps its token.
 */
export function createStreamTokens(authTokens: readonly [string, ...string[]]): StreamTokens {
  const keyOf = (authToken: string) => createHmac("sha256", authToken).update("prosaas media stream").digest();
  const [signing, ...others] = authTokens;
  const [key, otherKeys] = [keyOf(signing), others.map(keyOf)];
  const mac = ({ callSid, stream, expiresAt }: StreamGrant, under = key) =>
    createHmac("sha256", under).update(`${callSid}/${stream}/${expiresAt}`).digest("base64url");
  return {
    sign: (grant) => `${grant.stream}.${grant.expiresAt}.${mac(grant)}`,
    read: (token, callSid) => {
      const [, stream, expiresAt, given] = form.exec(token) ?? [];
      if (given === undefined) return null;
      const grant = { callSid, stream: Number(stream), expiresAt: Number(expiresAt) };
      return [key, ...otherKeys].map((under) => safeEqual(mac(grant, under), given)).includes(true) ? grant : null;
    },
  };
}
