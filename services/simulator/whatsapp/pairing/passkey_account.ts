import { z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import type { Phone } from "../phones/phone.ts";
import { parseCredential } from "./webauthn.ts";
import type { Credential } from "./webauthn.ts";

const base64url = z.string().regex(/^[A-Za-z0-9_-]{1,2000}$/, "must be base64url without padding");

/** A phone's passkeys, and how WhatsApp and the phone behave when a companion links. */
export const passkeySettings = z.strictObject({
  credentials: z
    .array(z.strictObject({ id: base64url, public_key: base64url }))
    .min(1)
    .max(8),
  /** How the request carries its options; the client fetches them itself if they are unparsable or missing. */
  options: z.enum(["sent", "unparsable", "missing"]).default("sent"),
  /** Lifetime of a challenge, ms. */
  timeout_ms: z.int().min(1).max(600_000).default(60_000),
  /** Bytes that are added to the options. */
  padding: z.int().min(0).max(1_000_000).default(0),
  /** The reaction to a valid assertion. `silent`: the phone is never reached. `other_code`: it shows another code. */
  outcome: z.enum(["link", "refuse", "silent", "other_code"]).default("link"),
});
export type PasskeySettings = z.infer<typeof passkeySettings>;

export type Account = {
  phone: Phone;
  settings: PasskeySettings;
  credentials: Credential[];
  /** The secret that the phone got from the QR code or agreed on by pairing code, before it required a passkey. */
  priorSecret?: Buffer;
  step: Step;
  /** The code on the phone's screen. */
  code?: string;
  /** True if the companion proved that it knows the prior secret, so that no code has to be compared. */
  proof?: boolean;
  /** Why steps of the exchange failed, the latest last. */
  failures: string[];
  /** Sent notifications, by stanza id, and whether they were acknowledged. */
  notifications: Map<string, boolean>;
};

/** idle → requested (a companion links) → verified (by its assertion) → compare (the nonce) → linked */
export type Step = "idle" | "requested" | "verified" | "compare" | "linked";

const maxFailures = 50;
const maxNotifications = 2000;

export function newAccount(phone: Phone, settings: PasskeySettings): Account {
  const credentials = settings.credentials.map(parse);
  return { phone, settings, credentials, step: "idle", failures: [], notifications: new Map() };
}

function parse(credential: { id: string; public_key: string }): Credential {
  try {
    return parseCredential(credential);
  } catch (cause) {
    throw new AppError("invalid_request", "public_key is not a P-256 key in SPKI form.", { cause });
  }
}

export function recordFailure({ failures }: Account, error: unknown): void {
  failures.push(error instanceof Error ? error.message : String(error));
  if (failures.length > maxFailures) failures.shift();
}

export function recordNotification({ notifications }: Account, id: string): void {
  notifications.set(id, false);
  if (notifications.size > maxNotifications) notifications.delete(notifications.keys().next().value!);
}

/** The account as the control API shows it. */
export function accountView({ step, code, proof, failures, notifications }: Account) {
  return {
    step,
    code: code ?? null,
    proof: proof ?? null,
    failures,
    notifications: notifications.size,
    acknowledged: [...notifications.values()].filter(Boolean).length,
  };
}
