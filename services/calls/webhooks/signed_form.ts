import type { MiddlewareHandler } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import type { CallMetrics } from "../metrics.ts";
import { isSigned, requestTarget } from "../twilio/signature.ts";
import type { FormFields } from "../twilio/signature.ts";

export type SignedForm = { Variables: { form: Record<string, string> } };

export type SignedFormOptions = {
  /** The account's tokens; without one nothing can be verified, so nothing is accepted. */
  authTokens: readonly string[];
  /** The account whose forms are ours; any where it is not set. */
  accountSid: string | undefined;
  publicUrl: string;
  metrics: Pick<CallMetrics, "webhookRefused">;
};

/** The carrier's forms have some hundred bytes; a transcription or a list of digits may have some thousand. */
const maxBytes = 64 * 1024;

/** Reads the form of a webhook, if the carrier signed it; refuses it otherwise. */
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
        new AppError("unavailable", "Webhooks cannot be verified: set TWILIO_AUTH_TOKEN to the account's token."),
      );
    }
    const signature = c.req.header("x-twilio-signature");
    if (signature === undefined) {
      return refuse(
        "unsigned",
        new AppError("forbidden", "The request has no X-Twilio-Signature; only the carrier may send it."),
      );
    }
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(c.req.header("content-type") ?? "")) {
      return refuse(
        "content_type",
        new AppError("invalid_request", "Send a form, as application/x-www-form-urlencoded."),
      );
    }
    const body = await readBody(c.req.raw, maxBytes);
    if (body === null)
      return refuse("too_large", new AppError("too_large", `A webhook may have up to ${maxBytes} bytes.`));
    const fields: FormFields = [...new URLSearchParams(body)];
    if (!isSigned({ authTokens, url: `${origin}${requestTarget(c.req.raw)}`, fields, signature })) {
      return refuse(
        "signature",
        new AppError(
          "forbidden",
          "The signature does not fit the request; is PUBLIC_URL the address the carrier calls?",
        ),
      );
    }
    const form = Object.fromEntries(fields);
    if (accountSid !== undefined && form["AccountSid"] !== accountSid) {
      return refuse("account", new AppError("forbidden", "The request is of another account."));
    }
    c.set("form", form);
    await next();
  };
}

/** The body as text; null where it is longer than `max` bytes, whatever its Content-Length says. */
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
