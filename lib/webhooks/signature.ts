import { createHmac, randomBytes } from "node:crypto";
import type { KeyRing } from "../core/key_ring.ts";

/*
 * Standard Webhooks (standardwebhooks.com, specification 1.0): the receiver recomputes
 * base64(HMAC-SHA256(secret, "<webhook-id>.<webhook-timestamp>.<body>")) and compares it with one of the signatures.
 */

const prefix = "whsec_";
/** 24 to 64 by the specification. */
const secretBytes = 32;

/** A new secret, in the form in which receivers' libraries take it: "whsec_" and base64. */
export function generateWebhookSecret(): string {
  return prefix + randomBytes(secretBytes).toString("base64");
}

export type Signed = { id: string; at: Date; body: string };

/** The headers of a delivery, signed with each secret: during a rotation receivers may hold either. */
export function signedHeaders({ id, at, body }: Signed, secrets: readonly string[]): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(prefix.length), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
}

/** Secrets as they lie in the database: sealed, each for its own endpoint. */
export type WebhookSecrets = {
  seal(webhookId: string, secret: string): string;
  /** @throws UnknownKey, TamperedValue */
  open(webhookId: string, sealed: string): string;
};

export function createWebhookSecrets(ring: KeyRing): WebhookSecrets {
  // One key for all of them is enough: a secret is sealed once, when it is made.
  const sealer = ring.sealer("webhook secrets", Buffer.alloc(0));
  return {
    seal: (webhookId, secret) => {
      const { keyId, box } = sealer.seal(Buffer.from(secret), webhookId);
      return `${keyId}:${Buffer.from(box).toString("base64")}`;
    },
    open: (webhookId, sealed) => {
      const colon = sealed.indexOf(":");
      const box = Buffer.from(sealed.slice(colon + 1), "base64");
      return sealer.open({ keyId: sealed.slice(0, colon), box }, webhookId).toString();
    },
  };
}
