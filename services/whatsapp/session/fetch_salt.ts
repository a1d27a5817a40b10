import type { WASocket } from "@whiskeysockets/baileys";
import { messageOf } from "../../../lib/core/errors.ts";
import type { AuthState } from "../auth/auth_state.ts";
import { saltCollection } from "../sending/contact_salt.ts";
import type { ConnectionControl, ConnectionOptions } from "./connection_options.ts";

type Options = Pick<ConnectionOptions, "contactSalt" | "logger"> &
  Pick<ConnectionControl, "unlessOver"> & { auth: Pick<AuthState, "creds" | "lookUp"> };

/** Fetches the salt on an open connection, at once or when the phone shares the keys of the app state. */
export function startSaltFetch(socket: Pick<WASocket, "resyncAppState" | "ev">, options: Options): void {
  void fetchSalt(socket, options);
  socket.ev.on("creds.update", ({ myAppStateKeyId }) => {
    if (myAppStateKeyId !== undefined) options.unlessOver(() => void fetchSalt(socket, options));
  });
}

/**
 * Fetches the collection of the app state that may have the salt. Does nothing before the phone has shared the keys of
 * the app state.
 */
export async function fetchSalt(
  socket: Pick<WASocket, "resyncAppState">,
  { auth, contactSalt, logger, unlessOver }: Options,
): Promise<void> {
  try {
    if (auth.creds.myAppStateKeyId === undefined || !contactSalt.isDue()) return;
    // First: a fetch shows on the phone, and must not be repeated by each connection.
    contactSalt.fetching();
    await socket.resyncAppState([saltCollection], false);
    unlessOver(() => {
      // Baileys also resolves if it could not decode the collection.
      if (auth.lookUp("app-state-sync-version", saltCollection) !== undefined) contactSalt.fetched();
    });
  } catch (error) {
    logger.warn({ error: messageOf(error) }, "the app state could not be fetched");
  }
}
