import { addTransactionCapability, Curve, initAuthCreds, signedKeyPair } from "@whiskeysockets/baileys";
import type { KeyPair, SignalDataSet, SignalKeyStore, SignalRepositoryWithLIDStore } from "@whiskeysockets/baileys";
import { describe, expect, test } from "bun:test";
import { createLogger } from "../../../lib/runtime/log.ts";
import { baileysLog } from "./baileys_log.ts";
import { durableRepository } from "./signal_repository.ts";

const jid = "77:1@lid";

type Retry = { registrationId?: number; retryOf?: string[]; signed?: boolean };

/** Creates a repository, and a device that offers keys for sessions with retry receipts. */
function scenario() {
  const stored = new Map<string, unknown>();
  const keys = {
    get: async (type: string, ids: string[]) =>
      Object.fromEntries(ids.flatMap((id) => (stored.has(`${type} ${id}`) ? [[id, stored.get(`${type} ${id}`)]] : []))),
    set: async (data: SignalDataSet) => {
      for (const [type, values] of Object.entries(data))
        for (const [id, value] of Object.entries(values)) stored.set(`${type} ${id}`, value);
    },
  } as SignalKeyStore;
  const logger = baileysLog(createLogger("silent"));
  const transactional = addTransactionCapability(keys, logger, { maxCommitRetries: 1, delayBetweenTriesMs: 1 });
  const repository = durableRepository({
    me: () => ({ id: "15550001111:2@s.whatsapp.net", lid: "88:2@lid" }),
    keys,
    onMapped: () => {},
    begin: async () => undefined,
    onQuarantined: async () => {},
    onDecrypted: async () => {},
    onUndecryptable: () => {},
  })({ creds: initAuthCreds(), keys: transactional }, logger, async () => undefined);
  const identity = Curve.generateKeyPair();
  /** Processes the keys of a retry receipt. Returns true if they started a session. */
  const retry = async ({ registrationId = 1, signed = true, ...receipt }: Retry) => {
    const before = await baseKey(repository);
    const session = { registrationId, ...bundle(signed ? identity : Curve.generateKeyPair(), identity) };
    await repository.injectE2ESession({ jid, session, ...receipt });
    return (await baseKey(repository)) !== before;
  };
  /** Processes a retry receipt without keys, for which they are fetched. Returns true if they were. */
  const retryWithoutKeys = async (ids: string[], device = jid) => {
    const { resendSession } = repository as unknown as {
      resendSession: (jid: string, ids: string[], create: () => Promise<void>) => Promise<void>;
    };
    let isFetched = false;
    await resendSession(device, ids, async () => {
      isFetched = true;
      await repository.injectE2ESession({ jid: device, session: { registrationId: 1, ...bundle(identity, identity) } });
    });
    return isFetched;
  };
  return { retry, retryWithoutKeys };
}

async function baseKey(repository: SignalRepositoryWithLIDStore): Promise<string | undefined> {
  const info = await repository.getSessionInfo(jid);
  return info === null ? undefined : Buffer.from(info.baseKey).toString("hex");
}

/** Keys as Baileys passes them: public keys have a leading type byte. */
function bundle(signer: KeyPair, identity: KeyPair) {
  const typed = (key: Uint8Array) => Buffer.concat([Buffer.from([5]), key]);
  const { keyPair, signature } = signedKeyPair(signer, 1);
  return {
    identityKey: typed(identity.public),
    signedPreKey: { keyId: 1, publicKey: typed(keyPair.public), signature },
    preKey: { keyId: 2, publicKey: typed(Curve.generateKeyPair().public) },
  };
}

describe("the keys of a retry receipt", () => {
  test("start one session for all messages", async () => {
    const { retry } = scenario();
    expect(await retry({ retryOf: ["A", "B"] })).toBeTrue();
    expect(await retry({ retryOf: ["C"] })).toBeFalse();
    expect(await retry({ retryOf: ["B"] })).toBeTrue();
  });

  test("of an app installed again start a session", async () => {
    const { retry } = scenario();
    await retry({ retryOf: ["A"] });
    expect(await retry({ retryOf: ["B"], registrationId: 2 })).toBeTrue();
    expect(await retry({ retryOf: ["C"], registrationId: 2 })).toBeFalse();
  });

  test("and fetched keys start one session for all messages", async () => {
    const { retry, retryWithoutKeys } = scenario();
    expect(await retryWithoutKeys(["A"])).toBeTrue();
    expect(await retryWithoutKeys(["B"])).toBeFalse();
    expect(await retry({ retryOf: ["C"] })).toBeFalse();
    expect(await retry({ retryOf: ["B"] })).toBeTrue();
    expect(await retryWithoutKeys(["D"])).toBeFalse();
  });

  test("for unknown messages start a session each", async () => {
    const { retry } = scenario();
    for (let n = 0; n < 3; n++) expect(await retry({ retryOf: [] })).toBeTrue();
  });

  test("of strangers are not fetched for unknown messages", async () => {
    const { retryWithoutKeys } = scenario();
    expect(await retryWithoutKeys([])).toBeFalse();
    expect(await retryWithoutKeys([], "88:0@lid")).toBeTrue();
  });

  test("without their owner's signature are refused", async () => {
    const { retry } = scenario();
    await expect(retry({ retryOf: ["A"], signed: false })).rejects.toThrow("not signed");
    expect(await retry({ retryOf: ["B"] })).toBeTrue();
  });
});
