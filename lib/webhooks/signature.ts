import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import type { KeyRing } from "../core/key_ring.ts";

/** 24 to 64 by the Standard Webhooks specification (standardwebhooks.com). */
const secretBytes = 32;

/** Generates a secret in the form that receivers' libraries expect: "whsec_" and base64. */
export function generateWebhookSecret(): string {
  return `whsec_${randomBytes(secretBytes).toString("base64")}`;
}

export type Signed = { id: string; at: Date; body: string };

/** The headers of a delivery, signed with each secret: during a rotation receivers may hold either. */
export function signedHeaders({ id, at, body }: Signed, secrets: readonly string[]): Record<string, string> {
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(" "),
  };
}

/** Seals secrets for the database, each bound to its own endpoint. */
export type WebhookSecrets = {
  seal(webhookId: string, secret: string): string;
  /** @throws UnknownKey, TamperedValue */
  open(webhookId: string, sealed: string): string;
};

export function createWebhookSecrets(ring: KeyRing): WebhookSecrets {
  // One key serves all endpoints: a secret is sealed once, when it is generated.
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
