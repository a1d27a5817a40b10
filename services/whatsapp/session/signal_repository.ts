import { Curve, DEFAULT_CONNECTION_CONFIG, jidNormalizedUser, MISSING_KEYS_ERROR_TEXT } from "@whiskeysockets/baileys";
import type {
  Contact,
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
import { ownJidsOf } from "../codec/jid.ts";
import { RetrySessions } from "./retry_sessions.ts";
import { TtlCache } from "./ttl_cache.ts";

export type RepositoryOptions = {
  /** New mappings between numbers and LIDs are about to be stored. */
  onMapped: (entries: SignalDataSet["lid-mapping"]) => void;
  /** The business's own account, once paired. */
  me: () => Contact | undefined;
  /** The store itself, beneath Baileys' transactions. */
  keys: SignalKeyStore;
  /**
   * Called before content is decrypted; `ciphertext` is the stanza's own buffer. Returns undefined if it is
   * quarantined.
   */
  begin: (ciphertext: Uint8Array) => Promise<Attempt | undefined>;
  /** Resolves once the quarantine is durable. */
  onQuarantined: (ciphertext: Uint8Array) => Promise<void>;
  /** A stanza was decrypted. Decodes it before returning, and resolves once its content is durable. */
  onDecrypted: (ciphertext: Uint8Array, plaintext: Uint8Array) => Promise<void>;
  /** Duplicates are not reported. */
  onUndecryptable: (failure: DecryptionFailure, ciphertext: Uint8Array) => void;
};

export type DecryptionFailure = {
  sender: string;
  /** True if earlier messages of this sender were decrypted with the same ratchet. */
  acquainted: boolean;
  /** True if there is a Signal session with the sender, as with a group's member whose sender key is missing. */
  hasSession: boolean;
};

type Incoming = {
  ciphertext: Uint8Array;
  sender: string;
  decrypt: () => Promise<Uint8Array>;
  isAcquainted: () => Promise<boolean>;
};

type OfferedSession = Parameters<SignalRepositoryWithLIDStore["injectE2ESession"]>[0];
/** Our patch adds the known ones of the messages in a retry receipt that offers the session. */
type NewSession = OfferedSession & { retryOf?: string[] };
/** Our patch calls it for a retry receipt that offers no session. */
type ResendSession = (device: string, messageIds: string[], create: () => Promise<unknown>) => Promise<void>;

type StoredName = { jid: string; address: string };

/** How long a contact whose number got another LID may be addressed under the old one. */
const storedNameTtlMs = 60_000;

/** Key types that hold a ratchet. */
const ratchets: ReadonlySet<string> = new Set<keyof SignalDataTypeMap>(["session", "sender-key"]);

/**
 * Baileys' Signal repository with the order of effects that durability requires. Baileys itself writes a ratchet at the
 * end of the surrounding transaction, which is:
 *  - on sending, after the stanza has left: a process killed in between returns with an older ratchet and encrypts
 *    another message with a used key;
 *  - on receiving, before the content is stored: a process killed in between can never decrypt the redelivery;
 *  - in both cases, from an earlier copy: if a message arrives while another is sent to the same contact, one of the
 *    two updates is lost.
 * Here a sending ratchet goes to the store before its ciphertext is sent, and the gate holds the frame back until the
 * ratchet is on the disk. A receiving ratchet is written after the content is durable. All work on one contact's
 * ratchet is serialised and starts from what the store has.
 */
export function durableRepository(options: RepositoryOptions): SocketConfig["makeSignalRepository"] {
  return (auth, logger, pnToLid) => {
    const transactional = auth.keys as SignalKeyStoreWithTransaction;
    const receiving = new AsyncLocalStorage<true>();
    const lock = new KeyedLock();
    const retrySessions = new RetrySessions();
    // Baileys looks up each name five times a message.
    const storedNames = new TtlCache(500, storedNameTtlMs);

    const keys: SignalKeyStoreWithTransaction = {
      ...transactional,
      get: (type, ids) =>
        ratchets.has(type) && !receiving.getStore() ? options.keys.get(type, ids) : transactional.get(type, ids),
      set: async (data) => {
        if (data["lid-mapping"] !== undefined) {
          storedNames.flushAll();
          options.onMapped(data["lid-mapping"]);
        }
        if (receiving.getStore()) return transactional.set(data);
        const [ratchet, other] = split(data);
        if (ratchet !== undefined) await options.keys.set(ratchet);
        if (other !== undefined) await transactional.set(other);
      },
    };
    const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository({ ...auth, keys }, logger, pnToLid);

    /** The name under which a ratchet is stored: a phone number's may be stored under its LID. */
    const storedAs = async (jid: string): Promise<StoredName> => {
      const known = storedNames.get<StoredName>(jid);
      if (known !== undefined) return known;
      const stored = (jid.endsWith("@lid") ? null : await repository.lidMapping.getLIDForPN(jid)) ?? jid;
      const name = { jid: stored, address: repository.jidToSignalProtocolAddress(stored) };
      storedNames.set(jid, name);
      return name;
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
              // Baileys acknowledges this error without requesting the message again: the journal has it.
              if (isDuplicate(error)) throw new Error(MISSING_KEYS_ERROR_TEXT, { cause: error });
              const { exists: hasSession } = await repository.validateSession(sender);
              options.onUndecryptable({ sender, acquainted: await isAcquainted(), hasSession }, ciphertext);
              throw error;
            } finally {
              // Before the wait for the disk: a process that is killed during it is not killed by this content.
              attempt.end();
            }
            await durable;
            return plaintext;
          }, transaction),
        ),
      );

    const isOwn = (jid: string) => ownJidsOf(options.me()).includes(jidNormalizedUser(jid));

    const resendSession: ResendSession = async (device, messageIds, create) => {
      // Keys are fetched for a message that can be sent again: WhatsApp throttles an account that fetches them for each
      // receipt of a stranger. The ledger lacks requests to the business's own phone.
      if (messageIds.length === 0 && !isOwn(device)) return;
      const { address } = await storedAs(device);
      const { exists } = await repository.validateSession(device);
      if (exists && retrySessions.recordResend(address, messageIds)) return;
      await create();
      if (messageIds.length > 0) retrySessions.recordSession(address, messageIds);
    };

    return {
      ...repository,
      resendSession,
      decryptMessage: async (message) =>
        receive((await storedAs(message.jid)).address, message.jid, {
          ciphertext: message.ciphertext,
          sender: message.jid,
          decrypt: () => repository.decryptMessage(message),
          // A prekey message starts a session: anyone may send one.
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
      injectE2ESession: async (message: NewSession) => {
        assertSigned(message.session);
        const { jid, address } = await storedAs(message.jid);
        const { session, retryOf = [] } = message;
        return lock.run(address, async () => {
          // A device that was installed again has another registration id: it cannot decrypt under the old session.
          const isOfDevice = (await repository.getSessionInfo(jid))?.registrationId === session.registrationId;
          if (isOfDevice && retrySessions.recordResend(address, retryOf)) return;
          retrySessions.forget(address);
          await repository.injectE2ESession(message);
          if (retryOf.length > 0) retrySessions.recordSession(address, retryOf);
        });
      },
    };
  };
}

/** The key of the message, or of the group's message, was used: it was decrypted before. */
function isDuplicate(error: unknown): boolean {
  const text = messageOf(error);
  return text === MISSING_KEYS_ERROR_TEXT || text.startsWith("Received message with old counter");
}

/** libsignal accepts any keys: a server in the middle could substitute its own for a first message. */
function assertSigned({ identityKey, signedPreKey }: OfferedSession["session"]): void {
  if (!Curve.verify(identityKey, signedPreKey.publicKey, signedPreKey.signature)) {
    throw new Error("the contact's prekey is not signed by the identity key");
  }
}

function split(data: SignalDataSet): [ratchet: SignalDataSet | undefined, other: SignalDataSet | undefined] {
  const part = (wanted: boolean): SignalDataSet | undefined => {
    const entries = Object.entries(data).filter(([type]) => ratchets.has(type) === wanted);
    return entries.length > 0 ? Object.fromEntries(entries) : undefined;
  };
  return [part(true), part(false)];
}
