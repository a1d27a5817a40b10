import type { GroupMetadata, WASocket } from "@whiskeysockets/baileys";
import { AppError, messageOf } from "../../../lib/core/errors.ts";

/** What an open connection offers beside messages. */
export type OpenSocket = {
  socket: WASocket;
  groupOf: (jid: string) => Promise<GroupMetadata>;
};

/** Shorter than what the caller of the shard waits. */
const deadlineMs = 8_000;

/**
 * Asks WhatsApp something.
 * @throws AppError "upstream_timeout" where no answer comes in time, "rate_limited" where WhatsApp wants to be asked
 *   less, "unavailable" where the connection ended or WhatsApp refused.
 */
export async function query<T>(question: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      late.reject(new AppError("upstream_timeout", "WhatsApp did not answer in time; try again.", { retryAfterS: 2 })),
    deadlineMs,
  );
  try {
    return await Promise.race([question, late.promise]);
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (refusalCode(error) === 429) {
      throw new AppError("rate_limited", "WhatsApp wants to be asked less often.", { cause: error, retryAfterS: 60 });
    }
    throw new AppError("unavailable", `WhatsApp did not do it: ${messageOf(error)}.`, { cause: error, retryAfterS: 2 });
  } finally {
    clearTimeout(timer);
  }
}

/** The code with which WhatsApp refused a query: Baileys gives it as the error's data. */
export function refusalCode(error: unknown): number | undefined {
  const { data } = (error ?? {}) as { data?: unknown };
  return typeof data === "number" ? data : undefined;
}
