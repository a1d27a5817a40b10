import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { ErrorCode } from "../../../lib/core/errors.ts";
import type { TransferFailure } from "../agent/protocol.ts";
import { ownNumber } from "../flow/core.ts";
import type { Core } from "../flow/core.ts";
import type { CallState } from "../state/call.ts";

/** The failure that the agent is sent if a transfer is not authorized. */
const failures: Partial<Record<ErrorCode, TransferFailure>> = {
  forbidden: "destination_not_allowed",
  rate_limited: "daily_limit",
};

/** Authorizes a transfer to `to`; returns null, or why the agent cannot transfer. */
export async function authorizeTransfer(core: Core, call: CallState, to: string): Promise<TransferFailure | null> {
  try {
    const { line } = await core.lines.find(ownNumber(call), "");
    if (line?.business_id !== call.business_id)
      throw new AppError("forbidden", "The number belongs to another business now.");
    await core.authorizeDial({ line, to });
    return null;
  } catch (error) {
    const reason = error instanceof AppError ? failures[error.code] : undefined;
    core.logger.warn({ call_sid: call.call_sid, reason, error: messageOf(error) }, "transfer refused");
    return reason ?? "unavailable";
  }
}
