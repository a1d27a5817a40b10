import { createHash, createPublicKey, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { z } from "@hono/zod-openapi";

export const relyingParty = "whatsapp.com";
export const webOrigin = "https://web.whatsapp.com";

/** A passkey of an account: its public key, as the account's owner registered it earlier. */
export type Credential = { id: Buffer; key: KeyObject; signCount: number };

/** Bytes as base64url without padding, the only form that WebAuthn's JSON uses. */
const bytes = (most: number) =>
  z
    .string()
    .max(Math.ceil((most * 4) / 3))
    .regex(/^[A-Za-z0-9_-]*$/, "must be base64url without padding")
    .transform((text) => Buffer.from(text, "base64url"));

const assertionSchema = z.strictObject({
  id: z.string().max(1400),
  rawId: bytes(1023),
  type: z.literal("public-key"),
  response: z.strictObject({
    clientDataJSON: bytes(4096),
    authenticatorData: bytes(4096),
    signature: bytes(1024),
    userHandle: bytes(64).nullish(),
  }),
});

const clientDataSchema = z.looseObject({
  type: z.literal("webauthn.get"),
  challenge: z.string(),
  origin: z.literal(webOrigin),
  crossOrigin: z.literal(false).optional(),
});

const userPresent = 0x01;
const userVerified = 0x04;
/** SHA-256 of the relying party, flags, and signature counter; extensions may follow. */
const shortestAuthenticatorData = 37;

/** Parses a P-256 public key in SPKI form. */
export function parseCredential({ id, public_key }: { id: string; public_key: string }): Credential {
  const key = createPublicKey({ key: Buffer.from(public_key, "base64url"), format: "der", type: "spki" });
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw new Error("the public key is not of P-256");
  return { id: Buffer.from(id, "base64url"), key, signCount: 0 };
}

/**
 * Verifies an assertion as WebAuthn's relying party does (https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion).
 * Throws an Error that names the failed check.
 */
export function verifyAssertion(
  assertion: Buffer,
  { challenge, credentialId, credentials }: { challenge: Buffer; credentialId: Buffer; credentials: Credential[] },
): void {
  const { id, rawId, response } = parse("assertion", assertionSchema, assertion);
  if (!rawId.equals(Buffer.from(id, "base64url")) || !rawId.equals(credentialId))
    throw new Error("the credential ids differ");
  const credential = credentials.find((known) => known.id.equals(rawId));
  if (!credential) throw new Error("the account has no such passkey");

  const clientData = parse("client data", clientDataSchema, response.clientDataJSON);
  if (clientData.challenge !== challenge.toString("base64url")) throw new Error("the challenge is another one");

  const data = response.authenticatorData;
  if (data.length < shortestAuthenticatorData) throw new Error("the authenticator data are too short");
  if (!data.subarray(0, 32).equals(sha256(Buffer.from(relyingParty))))
    throw new Error("the relying party is another one");
  const flags = data.readUInt8(32);
  if ((flags & userPresent) === 0) throw new Error("no user was present");
  if ((flags & userVerified) === 0) throw new Error("the user was not verified");

  const signed = Buffer.concat([data, sha256(response.clientDataJSON)]);
  if (!verify("sha256", signed, credential.key, response.signature)) throw new Error("the signature is wrong");

  const signCount = data.readUInt32BE(33);
  if ((signCount > 0 || credential.signCount > 0) && signCount <= credential.signCount)
    throw new Error("the signature counter did not grow");
  credential.signCount = signCount;
}

function parse<T>(what: string, schema: z.ZodType<T>, bytes: Buffer): T {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new Error(`the ${what} is not JSON`);
  }
  const { success, data, error } = schema.safeParse(json);
  if (!success) throw new Error(`the ${what} is invalid: ${error.issues.map(({ path }) => path.join(".")).join(", ")}`);
  return data;
}

const sha256 = (data: Uint8Array): Buffer => createHash("sha256").update(data).digest();
