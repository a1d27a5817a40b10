import { z } from "zod";

/*
 * Linking with a passkey. The forms are those of WebAuthn's JSON, so that a browser's own functions produce and read
 * them: PublicKeyCredentialRequestOptionsJSON and AuthenticationResponseJSON. Bytes are base64url without padding.
 */

/** Bytes of at most `most`, and at least one. */
const bytes = (most: number) =>
  z
    .string()
    .min(1)
    .max(Math.ceil((most * 4) / 3))
    .regex(/^[A-Za-z0-9_-]+$/, "must be base64url without padding");

/** WebAuthn's largest credential id. */
const maxCredentialId = 1023;
/** Passkeys that one account can have in the options. */
const maxCredentials = 64;
/** Bytes of the options' JSON. */
export const maxOptionsBytes = 32 * 1024;

export const passkeyOptions = z.object({
  challenge: bytes(1024).describe("The bytes to sign. Each challenge is used once."),
  timeout: z.number().min(0).optional().describe("Milliseconds that WhatsApp waits for the passkey."),
  rpId: z.string().min(1).max(255).optional().describe("The domain that the passkey belongs to."),
  allowCredentials: z
    .array(
      z.object({
        id: bytes(maxCredentialId),
        type: z.string().max(32),
        transports: z.array(z.string().max(32)).max(16).optional(),
      }),
    )
    .max(maxCredentials)
    .optional()
    .describe("The account's passkeys. Empty: any of WhatsApp's."),
  userVerification: z.string().max(32).optional(),
  extensions: z.record(z.string().max(64), z.unknown()).optional(),
});
export type PasskeyOptions = z.infer<typeof passkeyOptions>;

export const passkeyAssertion = z.object({
  id: bytes(maxCredentialId),
  rawId: bytes(maxCredentialId),
  type: z.literal("public-key"),
  response: z.object({
    clientDataJSON: bytes(4096),
    authenticatorData: bytes(4096),
    signature: bytes(1024),
    userHandle: bytes(64).nullish(),
  }),
});
export type PasskeyAssertion = z.infer<typeof passkeyAssertion>;

export const passkeyCode = z
  .string()
  .regex(/^[1-9A-HJ-NP-TV-Z]{4}-[1-9A-HJ-NP-TV-Z]{4}$/, "must be a code such as 7K2M-QX4P");

export const passkeyConfirmation = z.object({ code: passkeyCode });

export const passkeySteps = ["assertion", "phone", "confirmation", "linking"] as const;
export type PasskeyStep = (typeof passkeySteps)[number];

/** The state of a link that requires a passkey. */
export const passkeyView = z.object({
  /**
   * "assertion": the account's owner has to approve `options` with the passkey. "phone": WhatsApp checks the assertion
   * and reaches the phone. "confirmation": the owner has to compare `code` with the phone's. "linking": the phone
   * links the account.
   */
  step: z.enum(passkeySteps),
  /** In the step "assertion". */
  options: passkeyOptions.nullish(),
  /** In the step "confirmation". */
  code: z.string().nullish(),
  /** The end of the step, after which the challenge is renewed or the link fails. */
  expires_at: z.iso.datetime({ offset: true }),
  /** Why the last assertion did not succeed. */
  reason: z.string().nullish(),
});
export type PasskeyView = z.infer<typeof passkeyView>;
