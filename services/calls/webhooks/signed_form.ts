import type { MiddlewareHandler } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import type { CallMetrics } from "../metrics.ts";
import { isSigned, requestTarget } from "../twilio/signature.ts";
import type { FormFields } from "../twilio/signature.ts";

export type SignedForm = { Variables: { form: Record<string, string> } };

export type SignedFormOptions = {
  /** The account's tokens. Without one no form can be verified, so all are rejected. */
  authTokens: readonly string[];
  /** The account whose forms are accepted. Undefined accepts any account. */
  accountSid: string | undefined;
  publicUrl: string;
  metrics: Pick<CallMetrics, "webhookRefused">;
};

/** The carrier's forms have some hundred bytes; transcriptions or lists of digits have some thousand. */
const maxBytes = 64 * 1024;

/** Reads the form of a webhook. Rejects requests that the carrier did not sign. */
export function signedForm({
  authTokens,
  accountSid,
  publicUrl,
  metrics,
}: SignedFormOptions): MiddlewareHandler<SignedForm> {
  const origin = publicUrl.replace(/\/+$/, "");
  const refuse = (reason: string, error: AppError): never => {
    metrics.webhookRefused(reason);
    throw error;
  };

  return async (c, next) => {
    if (authTokens.length === 0) {
      return refuse(
        "unconfigured",
        new AppError("unavailable", "Webhooks cannot be verified. Set TWILIO_AUTH_TOKEN to the account's token."),
      );
    }
    const signature = c.req.header("x-twilio-signature");
    if (signature === undefined) {
      return refuse(
        "unsigned",
        new AppError("forbidden", "The request has no X-Twilio-Signature header. Only the carrier may send it."),
      );
    }
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(c.req.header("content-type") ?? "")) {
      return refuse(
        "content_type",
        new AppError("invalid_request", "The body must be a form (application/x-www-form-urlencoded)."),
      );
    }
    const body = await readBody(c.req.raw, maxBytes);
    if (body === null) return refuse("too_large", new AppError("too_large", `The body exceeds ${maxBytes} bytes.`));
    const fields: FormFields = [...new URLSearchParams(body)];
    if (!isSigned({ authTokens, url: `${origin}${requestTarget(c.req.raw)}`, fields, signature })) {
      return refuse(
        "signature",
        new AppError(
          "forbidden",
          "The signature does not match the request. Check that PUBLIC_URL is the address that the carrier calls.",
        ),
      );
    }
    const form = Object.fromEntries(fields);
    if (accountSid !== undefined && form["AccountSid"] !== accountSid) {
      return refuse("account", new AppError("forbidden", "The request belongs to another account."));
    }
    c.set("form", form);
    await next();
  };
}

/** Reads the body as text; null if it exceeds `max` bytes, whatever its Content-Length. */
async function readBody(request: Request, max: number): Promise<string | null> {
  if (Number(request.headers.get("content-length") ?? 0) > max) return null;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > max) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
