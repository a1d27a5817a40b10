import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { AppError } from "../../../lib/core/errors.ts";
import { sha256Hex } from "../../../lib/core/secret.ts";
import { once } from "../../../lib/db/index.ts";
import type { Answer, BusinessScope, PlatformScope } from "../../../lib/db/index.ts";
import type { Authenticated } from "./auth/guards.ts";

/** What of a request's context is needed here. */
type Asked = {
  req: { method: string; path: string };
  var: Pick<Authenticated["Variables"], "credential" | "principal">;
  header(name: string, value: string): void;
};

export type OnceOptions = {
  /** The Idempotency-Key, if there is one. */
  key: string | undefined;
  /** The parsed body: the same for the same request, however its JSON was written. */
  body: unknown;
  /** The answer holds a secret: it is kept so that only the credential it was given to opens it. */
  secret?: boolean;
};

/**
 * Does what a POST asks for, once: in one transaction with remembering the answer where the request has an
 * Idempotency-Key, and the same request gets that answer again. Throws "idempotency_mismatch" for another request.
 */
export async function answerOnce<S extends BusinessScope | PlatformScope, View extends object>(
  c: Asked,
  scope: S,
  { key, body, secret = false }: OnceOptions,
  work: (scope: S) => Promise<View>,
): Promise<View> {
  if (key === undefined) return work(scope);
  const { credential, principal } = c.var;
  // Only who was given a secret can be given it again.
  const asker = secret ? principal.keyId : "";
  const fingerprint = sha256Hex(JSON.stringify([c.req.method, c.req.path, asker, body]));
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
    "This Idempotency-Key came with another request before; use a new key for a new request.",
    {
      faults: [{ field: "idempotency-key", message: "was used with another request" }],
    },
  );
}

/*
 * A sealed answer is encrypted under a key that is derived from the caller's credential, which is not stored here
 * either: a copy of the database does not open it.
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
    // The same key by another credential: over the console's cookie now, over the key itself then.
    throw idempotencyMismatch();
  }
}
