import { DEFAULT_CONNECTION_CONFIG, initAuthCreds } from "@whiskeysockets/baileys";
import type { SignalKeyStore, SignalKeyStoreWithTransaction } from "@whiskeysockets/baileys";
import { describe, expect, test } from "bun:test";
import { baileysLog } from "../../services/whatsapp/session/baileys_log.ts";
import { createLogger } from "../runtime/log.ts";

// As in baileys.test.ts: these fail if the patches are not applied.

type Pair = { lid: string; pn: string };
type Cache = { size: number; ttlAutopurge: boolean };

const pairs = (count: number): Pair[] =>
  Array.from({ length: count }, (_, n) => ({ lid: `${880_000_000 + n}@lid`, pn: `${490_000_000 + n}@s.whatsapp.net` }));
const userOf = (jid: string) => jid.split("@")[0]!;

/** The names of accounts with a store that has these pairs. `asked`: the numbers whose LIDs WhatsApp was asked for. */
function mappingOf(stored: Pair[]) {
  const lids = new Map(stored.map(({ lid, pn }) => [userOf(pn), userOf(lid)]));
  const asked: string[] = [];
  const store: SignalKeyStore = {
    get: (_, ids) => Object.fromEntries(ids.flatMap((id) => (lids.has(id) ? [[id, lids.get(id)]] : []))) as never,
    set: () => {},
  };
  const keys: SignalKeyStoreWithTransaction = {
    ...store,
    isInTransaction: () => false,
    transaction: (work) => work(),
  };
  const { lidMapping } = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(
    { creds: initAuthCreds(), keys },
    baileysLog(createLogger("test", "error")),
    (numbers) => {
      asked.push(...numbers);
      return Promise.resolve([]);
    },
  );
  const { mappingCache: cache } = lidMapping as unknown as { mappingCache: Cache };
  return { lidMapping, cache, asked };
}

describe("the cache of LIDs", () => {
  test("is bounded and has no timer for each entry", async () => {
    const { lidMapping, cache } = mappingOf([]);
    await lidMapping.storeLIDPNMappings(pairs(5_000));
    expect(cache.size).toBeLessThanOrEqual(4_000);
    expect(cache.ttlAutopurge).toBe(false);
  });

  test("holds the largest group, whose LIDs are not queried", async () => {
    const members = pairs(1_024);
    const { lidMapping, asked } = mappingOf(members);
    const found = await lidMapping.getLIDsForPNs(members.map(({ pn }) => pn));
    expect(found).toHaveLength(members.length);
    expect(asked).toEqual([]);
  });
});
