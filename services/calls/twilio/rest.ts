import { z } from "zod";
import { AppError, isConnectionRefused, messageOf } from "../../../lib/core/errors.ts";
import type { ErrorCode } from "../../../lib/core/errors.ts";
import { zCallSid } from "./forms.ts";

export type CarrierAccount = {
  /** Where the carrier's REST API is. */
  apiUrl: string;
  accountSid: string;
  authToken: string;
};

export type OutboundCall = {
  from: string;
  to: string;
  /** Asked when the call is answered. */
  url: string;
  fallbackUrl: string;
  statusUrl: string;
  /** How long it may ring, s. */
  ringS: number;
};

export type Carrier = {
  /** Has the carrier place a call; gives its sid. Throws what the carrier says against it; "upstream_timeout" where it may place it yet. */
  placeCall(call: OutboundCall): Promise<string>;
};

const zPlaced = z.object({ sid: zCallSid });
const zFault = z.object({ code: z.number().optional(), message: z.string().max(1000) });

const codes: Record<number, ErrorCode> = { 400: "invalid_request", 404: "not_found", 429: "rate_limited" };

export function createCarrier({ apiUrl, accountSid, authToken }: CarrierAccount, timeoutMs = 8_000): Carrier {
  const calls = `${apiUrl.replace(/\/+$/, "")}/2010-04-01/Accounts/${accountSid}/Calls.json`;
  const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`;

  return {
    placeCall: async ({ from, to, url, fallbackUrl, statusUrl, ringS }) => {
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
        // Credentials go to the configured host alone.
        const signal = AbortSignal.timeout(timeoutMs);
        response = await fetch(calls, { method: "POST", body, headers: { authorization }, redirect: "manual", signal });
        answer = await response.json().catch(() => null);
      } catch (cause) {
        if (isConnectionRefused(cause)) {
          throw new AppError("unavailable", "The carrier cannot be reached at present; try again shortly.", {
            cause,
            retryAfterS: 5,
          });
        }
        throw new AppError(
          "upstream_timeout",
          `The carrier gave no answer (${messageOf(cause)}): whether it places the call is not known.`,
          {
            cause,
          },
        );
      }
      const placed = zPlaced.safeParse(answer);
      if (response.ok && placed.success) return placed.data.sid;
      if (response.ok || (response.status >= 500 && response.status !== 503)) {
        throw new AppError(
          "upstream_timeout",
          `The carrier's answer of ${response.status} does not say whether it places the call.`,
        );
      }
      const fault = zFault.safeParse(answer);
      const said = fault.success ? fault.data.message : `status ${response.status}`;
      throw new AppError(codes[response.status] ?? "unavailable", `The carrier does not place the call: ${said}`, {
        ...(fault.success && fault.data.code !== undefined ? { detail: { carrier_code: fault.data.code } } : {}),
        retryAfterS: 1,
      });
    },
  };
}
