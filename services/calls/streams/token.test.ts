import { describe, expect, test } from "bun:test";
import { sid } from "../testing/call.ts";
import { createStreamTokens } from "./token.ts";

const tokens = createStreamTokens(["an auth token of the account"]);
const grant = { callSid: sid("CA"), stream: 2, expiresAt: 1_800_000_000_000 };

describe("stream token", () => {
  test("opens its stream at every replica", () => {
    const token = tokens.sign(grant);
    expect(createStreamTokens(["an auth token of the account"]).read(token, grant.callSid)).toEqual(grant);
    expect(tokens.sign(grant)).toBe(token);
  });

  test("survives a key rotation", () => {
    const [before, during] = [
      createStreamTokens(["old token of the account"]),
      createStreamTokens(["new token", "old token of the account"]),
    ];
    const token = before.sign(grant);
    expect(during.read(token, grant.callSid)).toEqual(grant);
    expect(during.sign(grant)).not.toBe(token);
    expect(createStreamTokens(["new token"]).read(token, grant.callSid)).toBeNull();
  });

  test("opens no other call, stream or time", () => {
    const token = tokens.sign(grant);
    expect(tokens.read(token, sid("CA"))).toBeNull();
    expect(createStreamTokens(["another token"]).read(token, grant.callSid)).toBeNull();
    const [stream, expiresAt, mac] = token.split(".") as [string, string, string];
    const forgeries = [
      `3.${expiresAt}.${mac}`,
      `02.${expiresAt}.${mac}`.replace("02", "2 "),
      `${stream}.${Number(expiresAt) + 1}.${mac}`,
      `${stream}.${expiresAt}.${mac.slice(0, -1)}`,
      `${stream}.${expiresAt}.${"A".repeat(43)}`,
      `${stream}.${expiresAt}`,
      `${stream}.${expiresAt}.${mac}.`,
      token.toUpperCase(),
      "",
    ];
    for (const forgery of forgeries)
      expect({ forgery, grant: tokens.read(forgery, grant.callSid) }).toEqual({ forgery, grant: null });
  });
});
