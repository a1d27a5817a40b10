import { randomBytes } from "node:crypto";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { createAddressPolicy } from "../../../lib/webhooks/address_policy.ts";
import { createWebhookSecrets } from "../../../lib/webhooks/signature.ts";
import type { ApiDependencies } from "../backend/dependencies.ts";

/** The production implementation with an encryption key of the test. */
export function createTestWebhooks(): ApiDependencies["webhooks"] {
  const ring = KeyRing.parse(`test:${randomBytes(32).toString("base64")}`);
  return { policy: createAddressPolicy(), secrets: createWebhookSecrets(ring) };
}
