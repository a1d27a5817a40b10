import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { z } from "@hono/zod-openapi";
import { AppError } from "../../../lib/core/errors.ts";
import { sha256Hex } from "../../../lib/core/secret.ts";
import { once } from "../../../lib/db/index.ts";
import type { Answer, BusinessScope, PlatformScope } from "../../../lib/db/index.ts";
import type { Authenticated } from "./auth/guards.ts";

/** Request header of every POST that creates something. */
export const idempotencyHeaders = z.object({
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters")
    .optional()
    .openapi({
      description:
        "A unique key of your choice. For 24 hours, a retry with the same key and the same body replays the first " +
        "response instead of repeating the operation.",
      example: "order-4711-ready",
    }),
});

/** The part of Hono's context that this module reads and writes. */
type RequestContext = {
  req: { method: string; path: string };
  var: Pick<Authenticated["Variables"], "credential" | "principal">;
  header(name: string, value: string): void;
};

export type IdempotencyOptions = {
  /** The Idempotency-Key header. */
  key: string | undefined;
  /** The parsed body, so that the JSON's formatting does not change the fingerprint. */
  body: unknown;
  /** True if the response contains a secret. Its stored copy can only be decrypted with the caller's credential. */
  secret?: boolean;
};

/**
 * Runs `work` once per Idempotency-Key and replays its response to retries. The response is stored in the transaction
 * of `work`. Without a key it just runs `work`. Throws "idempotency_mismatch" if the key was used for another request.
 */
export async function runIdempotent<S extends BusinessScope | PlatformScope, View extends object>(
  c: RequestContext,
  scope: S,
  { key, body, secret = false }: IdempotencyOptions,
  work: (scope: S) => Promise<View>,
): Promise<View> {
  if (key === undefined) return work(scope);
  const { credential, principal } = c.var;
  // A secret is replayed only to the key that created it.
  const caller = secret ? principal.keyId : "";
  const fingerprint = sha256Hex(JSON.stringify([c.req.method, c.req.path, caller, body]));
  const answer = await once(scope, { key, fingerprint }, async (inner): Promise<Answer> => {
    const view = await work(inner);
    return { status: 201, response: secret ? seal(view, credential, key) : { ...(view as object) } };
  });
  if (answer.outcome === "mismatched") throw idempotencyMismatch();
  if (answer.outcome === "replayed") c.header("idempotency-replayed", "true");
  return (secret ? open(answer.response, credential, key) : answer.response) as View;
}

export function idempotencyMismatch(): AppError {
  return new AppError(
    "idempotency_mismatch",
    "This Idempotency-Key was used for a different request. Use a new key for each new request.",
    { faults: [{ field: "idempotency-key", message: "was used for a different request" }] },
  );
}

/*
 * A sealed response is encrypted with a key derived from the caller's credential. The database stores only a hash of
 * the credential, so a copy of the database cannot decrypt it.
 */
type Sealed = { sealed: string };

const keyOf = (credential: string, salt: string) =>
  Buffer.from(hkdfSync("sha256", credential, salt, "prosaas idempotent answer", 32));

function seal(view: object, credential: string, salt: string): Sealed {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", keyOf(credential, salt), nonce);
  const parts = [nonce, cipher.update(JSON.stringify(view)), cipher.final(), cipher.getAuthTag()];
  return { sealed: Buffer.concat(parts).toString("base64url") };
}

function open(response: Record<string, unknown>, credential: string, salt: string): unknown {
  const bytes = Buffer.from((response as Sealed).sealed, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", keyOf(credential, salt), bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(-16));
  try {
    return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString());
  } catch {
    // The retry used another credential of the same key: the console's cookie instead of the key, or the reverse.
    throw idempotencyMismatch();
  }
}
