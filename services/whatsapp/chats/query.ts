import type { GroupMetadata, WASocket } from "@whiskeysockets/baileys";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { AccountBook } from "../accounts/account_book.ts";

/** An open connection's socket, for queries other than messages. */
export type OpenSocket = {
  socket: WASocket;
  accounts: AccountBook;
  groupOf: (jid: string) => Promise<GroupMetadata>;
};

/** Less than the shard's caller waits, in real time: a stall of this process does not prolong it. */
const deadlineMs = 8_000;

/**
 * Awaits WhatsApp's answer to a query.
 * @throws AppError "upstream_timeout" if no answer arrives in time, "rate_limited" if WhatsApp throttles queries,
 *   "unavailable" if the connection ended or WhatsApp refused.
 */
export async function query<T>(question: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new AppError("upstream_timeout", "WhatsApp did not answer in time. Retry.", { retryAfterS: 2 }));
  }, deadlineMs);
  try {
    return await Promise.race([question, late.promise]);
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (refusalCode(error) === 429) {
      throw new AppError("rate_limited", "WhatsApp throttles queries. Retry later.", { cause: error, retryAfterS: 60 });
    }
    throw new AppError("unavailable", `WhatsApp refused the query: ${messageOf(error)}.`, {
      cause: error,
      retryAfterS: 2,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The code with which WhatsApp refused a query. Baileys gives it as the error's data. */
export function refusalCode(error: unknown): number | undefined {
  const { data } = (error ?? {}) as { data?: unknown };
  return typeof data === "number" ? data : undefined;
}
