import { Curve, DEFAULT_CONNECTION_CONFIG, MISSING_KEYS_ERROR_TEXT } from "@whiskeysockets/baileys";
import type {
  SignalDataSet,
  SignalDataTypeMap,
  SignalKeyStore,
  SignalKeyStoreWithTransaction,
  SignalRepositoryWithLIDStore,
  SocketConfig,
} from "@whiskeysockets/baileys";
import { AsyncLocalStorage } from "node:async_hooks";
import { messageOf } from "../../../lib/core/errors.ts";
import type { Attempt } from "../receiving/attempts.ts";
import { KeyedLock } from "../../../lib/core/keyed_lock.ts";
import { TtlCache } from "./ttl_cache.ts";

export type RepositoryOptions = {
  /** The store itself, beneath Baileys' transactions. */
  keys: SignalKeyStore;
  /** Called before content is decrypted; `ciphertext` is the stanza's own buffer. Undefined: it is quarantined. */
  begin: (ciphertext: Uint8Array) => Promise<Attempt | undefined>;
  /** Resolves once it is durable that content was quarantined. */
  onQuarantined: (ciphertext: Uint8Array) => Promise<void>;
  /** A stanza was decrypted. Decodes it before it returns, and resolves once its content is durable. */
  onDecrypted: (ciphertext: Uint8Array, plaintext: Uint8Array) => Promise<void>;
  /** `acquainted`: messages of this sender could be decrypted before. Duplicates are not reported. */
  onUndecryptable: (failure: { sender: string; acquainted: boolean }) => void;
};

type Incoming = {
  ciphertext: Uint8Array;
  sender: string;
  decrypt: () => Promise<Uint8Array>;
  isAcquainted: () => Promise<boolean>;
};

type Place = { jid: string; address: string };

/** A number that came to another LID meanwhile is written to under the old one for so long at most. */
const placeTtlMs = 60_000;

/** Key types that hold a ratchet. */
const ratchets: ReadonlySet<string> = new Set<keyof SignalDataTypeMap>(["session", "sender-key"]);

/**
 * Baileys' Signal repository with the order of effects that durability needs. As Baileys has it, a ratchet is
 * written when the transaction around it ends, and that is:
 *  - on sending, after the stanza has left: a process killed in between comes back with an older ratchet and
 *    encrypts another message with a key that was already used;
 *  - on receiving, before the content is anywhere: a process killed in between can never decrypt the redelivery;
 *  - in both, from a copy read earlier: a message that arrives while one is sent to the same contact loses one of
 *    the two updates.
 * Here a sending ratchet goes to the store before its ciphertext is sent, and the store holds the frame back until it
 * is on the disk; a receiving one is written after the content is durable; and all work on one contact's ratchet is
 * done one at a time, from what the store has.
 */
export function durableRepository(options: RepositoryOptions): SocketConfig["makeSignalRepository"] {
  return (auth, logger, pnToLid) => {
    const transactional = auth.keys as SignalKeyStoreWithTransaction;
    const receiving = new AsyncLocalStorage<true>();
    const lock = new KeyedLock();
    // Baileys looks each of them up five times a message.
    const places = new TtlCache(500, placeTtlMs);

    const keys: SignalKeyStoreWithTransaction = {
      ...transactional,
      get: (type, ids) =>
        ratchets.has(type) && !receiving.getStore() ? options.keys.get(type, ids) : transactional.get(type, ids),
      set: async (data) => {
        if (data["lid-mapping"] !== undefined) places.flushAll();
        if (receiving.getStore()) return transactional.set(data);
        const [ratchet, other] = split(data);
        if (ratchet !== undefined) await options.keys.set(ratchet);
        if (other !== undefined) await transactional.set(other);
      },
    };
    const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository({ ...auth, keys }, logger, pnToLid);

    /** Under which name a ratchet is stored: a phone number's may be kept under its LID. */
    const storedAs = async (jid: string): Promise<Place> => {
      const known = places.get<Place>(jid);
      if (known !== undefined) return known;
      const stored = (jid.endsWith("@lid") ? null : await repository.lidMapping.getLIDForPN(jid)) ?? jid;
      const place = { jid: stored, address: repository.jidToSignalProtocolAddress(stored) };
      places.set(jid, place);
      return place;
    };

    const receive = (key: string, transaction: string, { ciphertext, sender, decrypt, isAcquainted }: Incoming) =>
      lock.run(key, () =>
        receiving.run(true, () =>
          transactional.transaction(async () => {
            const attempt = await options.begin(ciphertext);
            if (attempt === undefined) {
              await options.onQuarantined(ciphertext);
              throw new Error(MISSING_KEYS_ERROR_TEXT);
            }
            let durable: Promise<void>;
            let plaintext: Uint8Array;
            try {
              plaintext = await decrypt();
              durable = options.onDecrypted(ciphertext, plaintext);
            } catch (error) {
              // Acknowledged by Baileys as such, and not asked for again: the journal has the message.
              if (isDuplicate(error)) throw new Error(MISSING_KEYS_ERROR_TEXT, { cause: error });
              options.onUndecryptable({ sender, acquainted: await isAcquainted() });
              throw error;
            } finally {
              // The disk is waited for without it: a process that is killed then is not killed by this content.
              attempt.end();
            }
            await durable;
            return plaintext;
          }, transaction),
        ),
      );

    return {
      ...repository,
      decryptMessage: async (message) =>
        receive((await storedAs(message.jid)).address, message.jid, {
          ciphertext: message.ciphertext,
          sender: message.jid,
          decrypt: () => repository.decryptMessage(message),
          // A prekey message begins a session: who sends one need not be known.
          isAcquainted: async () => message.type === "msg" && (await repository.validateSession(message.jid)).exists,
        }),
      decryptGroupMessage: (message) =>
        receive(`${message.group} ${message.authorJid}`, message.group, {
          ciphertext: message.msg,
          sender: message.authorJid,
          decrypt: () => repository.decryptGroupMessage(message),
          isAcquainted: () => repository.hasSenderKey({ group: message.group, meId: message.authorJid }),
        }),
      encryptMessage: async (message) => {
        const { jid, address } = await storedAs(message.jid);
        return lock.run(address, () => repository.encryptMessage({ ...message, jid }));
      },
      encryptGroupMessage: (message) =>
        lock.run(`${message.group} ${message.meId}`, () => repository.encryptGroupMessage(message)),
      injectE2ESession: async (message) => {
        assertSigned(message.session);
        return lock.run((await storedAs(message.jid)).address, () => repository.injectE2ESession(message));
      },
    };
  };
}

/** The key of the message was used: it was decrypted before. Of one message, or of a group's. */
function isDuplicate(error: unknown): boolean {
  const text = messageOf(error);
  return text === MISSING_KEYS_ERROR_TEXT || text.startsWith("Received message with old counter");
}

/** libsignal takes whatever keys it is given: a server in the middle could put its own in their place for a first message. */
function assertSigned({
  identityKey,
  signedPreKey,
}: Parameters<SignalRepositoryWithLIDStore["injectE2ESession"]>[0]["session"]): void {
  if (!Curve.verify(identityKey, signedPreKey.publicKey, signedPreKey.signature)) {
    throw new Error("the contact's prekey is not signed by its identity");
  }
}

function split(data: SignalDataSet): [ratchet: SignalDataSet | undefined, other: SignalDataSet | undefined] {
  const part = (wanted: boolean): SignalDataSet | undefined => {
    const entries = Object.entries(data).filter(([type]) => ratchets.has(type) === wanted);
    return entries.length > 0 ? Object.fromEntries(entries) : undefined;
  };
  return [part(true), part(false)];
}
