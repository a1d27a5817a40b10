import type { WASocket } from "@whiskeysockets/baileys";
import { messageOf } from "../../../lib/core/errors.ts";
import { saltCollection } from "../sending/contact_salt.ts";
import type { ConnectionControl, ConnectionOptions } from "./connection_options.ts";

type Options = Pick<ConnectionOptions, "contactSalt" | "logger"> & Pick<ConnectionControl, "unlessOver">;

/** Fetches the collection of the app state that may have the salt. */
export async function fetchSalt(
  socket: Pick<WASocket, "resyncAppState">,
  { contactSalt, logger, unlessOver }: Options,
): Promise<void> {
  try {
    if (!contactSalt.isDue) return;
    await socket.resyncAppState([saltCollection], false);
    unlessOver(() => contactSalt.fetched());
  } catch (error) {
    logger.warn({ error: messageOf(error) }, "the app state could not be fetched");
  }
}
