import type { AccountName } from "../../../lib/contracts/shard/schemas.ts";
import type { AuthStore } from "../auth/auth_store.ts";
import { lidJid } from "../codec/jid.ts";
import type { AccountBook } from "./account_book.ts";

const marker = "account-names-announced";
const mapping = /^lid-mapping:(\d+)_reverse$/;
/** Names of one journal entry. */
const namesPerEntry = 500;

/**
 * Announces, once for each store, the names that it had learned before names were announced as they are learned.
 * `announce` resolves when the names are durable.
 */
export async function announceKnown(
  store: Pick<AuthStore, "names" | "read" | "write">,
  accounts: Pick<AccountBook, "aliasesAmong">,
  announce: (names: AccountName[]) => Promise<void>,
): Promise<void> {
  if (store.read(marker) !== undefined) return;
  const lids = store.names().flatMap((name) => {
    const [, lid] = mapping.exec(name) ?? [];
    return lid === undefined ? [] : [lidJid(lid)];
  });
  for (let at = 0; at < lids.length; at += namesPerEntry) {
    const names = accounts.aliasesAmong(lids.slice(at, at + namesPerEntry));
    if (names.length > 0) await announce(names);
  }
  store.write([[marker, Buffer.from("1")]]);
}
