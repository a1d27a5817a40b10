import { BufferJSON, jidDecode } from "@whiskeysockets/baileys";
import type { AuthenticationCreds } from "@whiskeysockets/baileys";
import type { AuthStore } from "../auth/auth_store.ts";

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

function ownUsers(store: AuthStore): Set<string> {
  const stored = store.read("creds");
  if (stored === undefined) return new Set();
  const { me } = JSON.parse(stored.toString("utf8"), BufferJSON.reviver) as AuthenticationCreds;
  return new Set([me?.id, me?.lid].flatMap((jid) => jidDecode(jid)?.user ?? []));
}
