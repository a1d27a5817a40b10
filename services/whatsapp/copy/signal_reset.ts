import { BufferJSON, jidDecode } from "@whiskeysockets/baileys";
import type { AuthenticationCreds } from "@whiskeysockets/baileys";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { AuthStore, AuthStoreError } from "../auth/auth_store.ts";
import type { Volume } from "../volume/volume.ts";
import { storeFolders } from "./records.ts";

/**
 * Deletes the Signal sessions of a login, and its own sender keys of groups. The copy may lack the last messages that
 * were sent. Their message keys would encrypt other plaintexts, and phones would drop those messages as duplicates. The
 * next message to a contact creates a session; a contact's message for the deleted one is requested again.
 */
export function resetSignalSessions(store: AuthStore): void {
  const own = ownUsers(store);
  const stale = store.names().filter((name) => {
    if (name.startsWith("session:") || name.startsWith("sender-key-memory:")) return true;
    const [, user] = /^sender-key:[^:]+::([^:]+)::/.exec(name) ?? [];
    return user !== undefined && own.has(user.split("_")[0]!);
  });
  store.write(stale.map((name) => [name, null] as const));
}

/** Does so with each login on a volume whose sessions are closed. One that cannot be opened is left as it is. */
export async function resetVolume(volume: Volume, keys: KeyRing, pause: () => Promise<void>): Promise<void> {
  for (const folder of storeFolders) {
    const path = volume.file(folder);
    for (const businessId of existsSync(path) ? readdirSync(path) : []) {
      const file = join(path, businessId, "auth.db");
      if (existsSync(file)) resetStore(file, businessId, keys);
      await pause();
    }
  }
}

function resetStore(file: string, businessId: string, keys: KeyRing): void {
  let store: AuthStore;
  try {
    store = AuthStore.open(file, businessId, keys);
  } catch (error) {
    // Its session cannot open it either.
    if (error instanceof AuthStoreError) return;
    throw error;
  }
  try {
    resetSignalSessions(store);
    store.sync();
  } finally {
    store.close();
  }
}

function ownUsers(store: AuthStore): Set<string> {
  const stored = store.read("creds");
  if (stored === undefined) return new Set();
  const { me } = JSON.parse(stored.toString("utf8"), BufferJSON.reviver) as AuthenticationCreds;
  return new Set([me?.id, me?.lid].flatMap((jid) => jidDecode(jid)?.user ?? []));
}
