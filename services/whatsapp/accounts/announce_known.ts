import type { AccountName } from "../../../lib/contracts/shard/schemas.ts";
import type { AuthStore } from "../auth/auth_store.ts";
import { lidJid } from "../codec/jid.ts";
import { unannounced } from "./account_book.ts";
import type { AccountBook } from "./account_book.ts";

const marker = "account-names-announced";
const mapping = /^lid-mapping:(\d+)_reverse$/;
/** Names of one journal entry. */
const namesPerEntry = 500;

/**
 * Announces the names whose announcement an earlier process or connection did not complete; and, once for each store,
 * the names that it had learned before names were announced as they are learned. `announce` resolves when the names are
 * durable.
 */
export async function announceKnown(
  store: Pick<AuthStore, "names" | "read" | "write">,
  accounts: Pick<AccountBook, "aliasesAmong" | "unannouncedAmong" | "announced">,
  announce: (names: AccountName[]) => Promise<void>,
): Promise<void> {
  const isFirst = store.read(marker) === undefined;
  const aliases = [...(isFirst ? mappedLids(store) : []), ...aliasesLeft(store)];
  for (let at = 0; at < aliases.length; at += namesPerEntry) {
    const slice = aliases.slice(at, at + namesPerEntry);
    const left = accounts.unannouncedAmong(slice);
    // As the store has them now: a name that was recorded and then not stored is learned again.
    const names = accounts.aliasesAmong(slice);
    if (names.length > 0) await announce(names);
    accounts.announced(left);
  }
  if (isFirst) store.write([[marker, Buffer.from("1")]]);
}

function mappedLids(store: Pick<AuthStore, "names">): string[] {
  return store.names("lid-mapping:").flatMap((name) => {
    const [, lid] = mapping.exec(name) ?? [];
    return lid === undefined ? [] : [lidJid(lid)];
  });
}

function aliasesLeft(store: Pick<AuthStore, "names">): string[] {
  const prefix = `${unannounced}:`;
  return store.names(prefix).map((name) => name.slice(prefix.length));
}
