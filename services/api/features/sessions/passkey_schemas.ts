import { z } from "@hono/zod-openapi";
import { passkeyAssertion, passkeyCode, passkeyOptions, passkeySteps } from "../../../../lib/contracts/shard/index.ts";
import { timestamp } from "../../http/text.ts";

/** A link that requires a passkey. */
export const passkeySchema = z
  .object({
    step: z.enum(passkeySteps).openapi({
      description:
        '"assertion": the owner has to approve the options with the passkey. "phone": WhatsApp checks the assertion. ' +
        '"confirmation": the owner has to compare the code with the phone\'s. "linking": the phone links the account.',
    }),
    options: passkeyOptions.optional().openapi({
      description:
        'The request for the passkey, as WebAuthn\'s PublicKeyCredentialRequestOptionsJSON, in the step "assertion". ' +
        "Call navigator.credentials.get with it on https://web.whatsapp.com: the passkey works on no other site.",
    }),
    code: z
      .string()
      .optional()
      .openapi({ description: "The code to compare with the one on the phone.", example: "7K2M-QX4P" }),
    expires_at: timestamp.openapi({ description: "The end of the step. A challenge is then renewed." }),
    reason: z.string().nullable().openapi({ description: "Why the last assertion did not succeed." }),
  })
  .openapi("PasskeyLink");

// clone: a schema that was made before @hono/zod-openapi was imported has no `openapi`.
export const assertionSchema = passkeyAssertion
  .clone()
  .openapi({
    description: "The assertion as WebAuthn's AuthenticationResponseJSON; other members of it are ignored.",
    example: {
      id: "dGhlLWNyZWRlbnRpYWw",
      rawId: "dGhlLWNyZWRlbnRpYWw",
      type: "public-key",
      response: { clientDataJSON: "e30", authenticatorData: "AAAA", signature: "AAAA", userHandle: null },
    },
  })
  .openapi("PasskeyAssertion");

export const confirmationSchema = z
  .strictObject({
    code: passkeyCode.clone().openapi({
      description: "The code that the phone shows. It has to be the session's.",
      example: "7K2M-QX4P",
    }),
  })
  .openapi("PasskeyConfirmation");
