import { createHash } from "node:crypto";
import { z } from "zod";
import { AppError } from "../../../../lib/core/errors.ts";
import type { PasskeyAssertion, PasskeyOptions } from "../../../../lib/contracts/shard/passkey.ts";

const webOrigin = "https://web.whatsapp.com";
const clientData = z.object({ type: z.string(), challenge: z.string(), origin: z.string() });
const shortestAuthenticatorData = 37;
const userPresent = 0x01;

/**
 * Refuses an assertion that WhatsApp would refuse, because each refusal by WhatsApp costs the account an attempt. The
 * signature is WhatsApp's to check: only it has the public key.
 * @throws AppError "conflict" if it answers another challenge, "invalid_request" for other faults.
 */
export function checkAssertion(assertion: PasskeyAssertion, options: PasskeyOptions): void {
  const { id, rawId, response } = assertion;
  const data = clientDataOf(response.clientDataJSON);
  if (data.type !== "webauthn.get")
    throw invalid(`clientDataJSON has the type "${data.type.slice(0, 50)}" instead of "webauthn.get".`);
  if (data.origin !== webOrigin)
    throw invalid(`The assertion was made on ${data.origin.slice(0, 100)} instead of ${webOrigin}.`);
  if (!bytesOf(data.challenge).equals(bytesOf(options.challenge))) {
    throw new AppError(
      "conflict",
      "The assertion answers another challenge, or one that has been renewed. Fetch the session and approve it again.",
    );
  }
  if (id !== rawId) throw invalid("id and rawId differ.");
  const allowed = options.allowCredentials ?? [];
  if (allowed.length > 0 && !allowed.some((credential) => credential.id === id))
    throw invalid("The passkey is none of this account's: approve with one of allowCredentials.");
  const authenticatorData = bytesOf(response.authenticatorData);
  if (authenticatorData.length < shortestAuthenticatorData) throw invalid("authenticatorData is too short.");
  if (options.rpId !== undefined && !authenticatorData.subarray(0, 32).equals(sha256(options.rpId)))
    throw invalid(`The passkey belongs to another domain than ${options.rpId}.`);
  if ((authenticatorData[32]! & userPresent) === 0) throw invalid("The passkey was used without a person.");
}

/** The assertion in the form that WhatsApp gets: without what a browser adds to it. */
export function assertionBody({ id, rawId, type, response }: PasskeyAssertion): Buffer {
  const { clientDataJSON, authenticatorData, signature, userHandle } = response;
  const body = {
    id,
    rawId,
    type,
    response: { clientDataJSON, authenticatorData, signature, userHandle: userHandle ?? null },
  };
  return Buffer.from(JSON.stringify(body));
}

function clientDataOf(encoded: string): z.infer<typeof clientData> {
  try {
    return clientData.parse(JSON.parse(bytesOf(encoded).toString("utf8")));
  } catch (cause) {
    throw invalid("clientDataJSON is not WebAuthn's client data.", cause);
  }
}

const bytesOf = (encoded: string): Buffer => Buffer.from(encoded, "base64url");
const invalid = (detail: string, cause?: unknown) => new AppError("invalid_request", detail, { cause });
const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();
