import { z } from "zod";
import { AppError, isConnectionRefused, messageOf } from "../../../lib/core/errors.ts";
import type { ErrorCode } from "../../../lib/core/errors.ts";
import { zCallSid } from "./forms.ts";

export type CarrierAccount = {
  /** The carrier's REST API. */
  apiUrl: string;
  accountSid: string;
  authToken: string;
};

export type OutboundCall = {
  from: string;
  to: string;
  /** Requested when the call is answered. */
  url: string;
  fallbackUrl: string;
  statusUrl: string;
  /** Seconds that the call may ring. */
  ringS: number;
};

export type Carrier = {
  /**
   * Asks the carrier to dial a call. Returns its sid.
   * @throws AppError with the carrier's reason; "upstream_timeout" if the call may have been dialled all the same.
   */
  dial(call: OutboundCall): Promise<string>;
  /**
   * Interrupts a call in progress, which then requests `url`.
   * @throws AppError if the carrier refuses, or does not answer.
   */
  redirect(callSid: string, url: string): Promise<void>;
};

const zDialled = z.object({ sid: zCallSid });
const zFault = z.object({ code: z.number().optional(), message: z.string().max(1000) });

const codes: Record<number, ErrorCode> = { 400: "invalid_request", 404: "not_found", 429: "rate_limited" };

export function createCarrier({ apiUrl, accountSid, authToken }: CarrierAccount, timeoutMs = 8_000): Carrier {
  const calls = `${apiUrl.replace(/\/+$/, "")}/2010-04-01/Accounts/${accountSid}/Calls`;
  const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`;

  const post = (url: string, body: URLSearchParams): Promise<Response> =>
    // No redirects, so that the credentials reach the configured host only.
    fetch(url, {
      method: "POST",
      body,
      headers: { authorization },
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });

  return {
    redirect: async (callSid, url) => {
      const response = await post(`${calls}/${callSid}.json`, new URLSearchParams({ Url: url, Method: "POST" })).catch(
        (cause: unknown) => {
          throw new AppError("unavailable", `The carrier did not answer: ${messageOf(cause)}`, { cause });
        },
      );
      const answer: unknown = await response.json().catch(() => null);
      if (response.ok) return;
      throw new AppError("unavailable", `The carrier refused: ${reasonOf(response, answer).text}`);
    },
    dial: async ({ from, to, url, fallbackUrl, statusUrl, ringS }) => {
      const body = new URLSearchParams({
        From: from,
        To: to,
        Url: url,
        FallbackUrl: fallbackUrl,
        StatusCallback: statusUrl,
        Timeout: String(ringS),
      });
      for (const event of ["initiated", "ringing", "answered", "completed"]) body.append("StatusCallbackEvent", event);
      let response: Response;
      let answer: unknown;
      try {
        response = await post(`${calls}.json`, body);
        answer = await response.json().catch(() => null);
      } catch (cause) {
        if (isConnectionRefused(cause)) {
          throw new AppError("unavailable", "The carrier is unavailable. Retry shortly.", {
            cause,
            retryAfterS: 5,
          });
        }
        throw new AppError(
          "upstream_timeout",
          `The carrier did not answer (${messageOf(cause)}). The call may have been dialled.`,
          { cause },
        );
      }
      const dialled = zDialled.safeParse(answer);
      if (response.ok && dialled.success) return dialled.data.sid;
      if (response.ok || (response.status >= 500 && response.status !== 503)) {
        throw new AppError(
          "upstream_timeout",
          `The carrier's answer (status ${response.status}) is unclear. The call may have been dialled.`,
        );
      }
      const { text, code } = reasonOf(response, answer);
      throw new AppError(codes[response.status] ?? "unavailable", `The carrier refused the call: ${text}`, {
        ...(code === undefined ? {} : { detail: { carrier_code: code } }),
        retryAfterS: 1,
      });
    },
  };
}

function reasonOf({ status }: Response, answer: unknown): { text: string; code?: number | undefined } {
  const fault = zFault.safeParse(answer);
  return fault.success ? { text: fault.data.message, code: fault.data.code } : { text: `status ${status}` };
}
