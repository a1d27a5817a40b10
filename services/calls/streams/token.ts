import { createHmac } from "node:crypto";
import { safeEqual } from "../../../lib/core/secret.ts";

/*
 * Token with which the carrier opens a media stream: `<stream>.<expires at, ms>.<mac>`. It is bound to one stream of
 * one call, and opens that stream once. It travels in a parameter, because a stream's URL has no query.
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
  /** Verifies a token for this call; null if it is forged or for another call. The caller checks the expiry. */
  read(token: string, callSid: string): StreamGrant | null;
};

/**
 * Tokens under keys that every replica derives from the carrier's tokens. The first key signs and all verify, so that a
 * stream offered before a rotation keeps its token.
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
