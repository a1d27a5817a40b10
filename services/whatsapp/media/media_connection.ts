import type { WASocket } from "@whiskeysockets/baileys";
import { AppError } from "../../../lib/core/errors.ts";
import { query } from "../chats/query.ts";
import { passingQuery } from "../sending/verdicts.ts";
import type { Session } from "../session/session.ts";

type MediaConnection = Awaited<ReturnType<WASocket["refreshMediaConn"]>>;

/**
 * Queries WhatsApp for its media hosts, unless it refused such a query of this account a short time ago.
 * @throws AppError "unavailable" with the time to wait, and what `Session.use` throws.
 */
export async function mediaConnection(
  session: Pick<Session, "cooldowns" | "use">,
  renew: boolean,
): Promise<MediaConnection> {
  const { media } = session.cooldowns;
  if (media.isActive) throw refused(media.waitMs);
  try {
    const connection = await session.use(({ socket }) => query(socket.refreshMediaConn(renew)));
    media.succeeded();
    return connection;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const isPassing = error.code === "upstream_timeout" || passingQuery(error.cause) !== undefined;
    if (!isPassing) throw error;
    throw refused(media.refused(), error);
  }
}

function refused(waitMs: number, cause?: AppError): AppError {
  return new AppError("unavailable", "WhatsApp refuses queries for its media host for now.", {
    retryAfterS: Math.ceil(waitMs / 1_000),
    ...(cause === undefined ? {} : { cause }),
  });
}
