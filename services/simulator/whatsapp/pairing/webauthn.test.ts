import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { Authenticator } from "../../testing/authenticator.ts";
import type { Deviation } from "../../testing/authenticator.ts";
import { parseCredential, verifyAssertion } from "./webauthn.ts";

const challenge = Buffer.alloc(32, 7);
const authenticator = new Authenticator();
const credentials = [parseCredential(authenticator.credential)];
const verify = (assertion: object) =>
  verifyAssertion(Buffer.from(JSON.stringify(assertion)), {
    challenge,
    credentialId: Buffer.from(authenticator.id, "base64url"),
    credentials,
  });
const assertion = (deviation?: Deviation) =>
  authenticator.assert({ challenge: challenge.toString("base64url") }, deviation);

describe("an assertion", () => {
  test("is accepted once", () => {
    const valid = assertion();
    expect(() => verify(valid)).not.toThrow();
    expect(() => verify(valid)).toThrow("the signature counter did not grow");
  });

  test.each<[string, Deviation]>([
    ["the challenge is another one", { challenge: "AAAA" }],
    ["the client data is invalid: origin", { origin: "https://web.whatsapp.com.example.com" }],
    ["the client data is invalid: type", { type: "webauthn.create" }],
    ["the relying party is another one", { rpId: "example.com" }],
    ["no user was present", { flags: 4 }],
    ["the user was not verified", { flags: 1 }],
    ["the signature is wrong", { key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey }],
    ["the credential ids differ", { id: "AAAA" }],
  ])("is refused: %s", (reason, deviation) => {
    expect(() => verify(assertion(deviation))).toThrow(reason);
  });

  test("is refused with padding or unknown fields", () => {
    const valid = assertion();
    expect(() => verify({ ...valid, rawId: `${valid.rawId}=` })).toThrow("rawId");
    expect(() => verify({ ...valid, more: 1 })).toThrow("invalid");
  });
});
