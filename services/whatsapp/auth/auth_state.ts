import { BufferJSON, initAuthCreds, proto } from "@whiskeysockets/baileys";
import type {
  AuthenticationCreds,
  AuthenticationState,
  SignalDataSet,
  SignalDataTypeMap,
  SignalKeyStore,
} from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { ConnectionClosed } from "../session/survivable.ts";
import type { AuthStore } from "./auth_store.ts";

/** Values kept in memory for one session. A chat in use needs three; a session is then read from disk about never. */
const cachedValues = 256;
/** Read once each and 812 of them after pairing: not worth memory. */
const uncached: ReadonlySet<string> = new Set<keyof SignalDataTypeMap>([
  "pre-key",
  "app-state-sync-key",
  "app-state-sync-version",
]);

export type AuthStateOptions = {
  store: AuthStore;
  /** Called before each write; throws where this process may no longer write. */
  fence: () => void;
  /** A write or a read of the store failed: the session must stop before it answers anything to WhatsApp. */
  onFault: (error: unknown) => void;
};

/**
 * Baileys' view of a store, for one connection: the credentials, and the Signal keys with a bounded cache in front.
 * The next connection gets a new one, read from the disk; then what is left of this one can write nothing.
 *
 * Changes of keys are gathered and go to the disk together, in one transaction at the end of the turn of the loop, so
 * that a ratchet that several messages turned is written once. Until then nothing may leave the process that rests on
 * them: `beforeCommit` is told of each commit to come.
 */
export class AuthState implements AuthenticationState {
  readonly creds: AuthenticationCreds;
  readonly keys: SignalKeyStore;
  /** Called when there are changes again that are not on the disk. The promise rejects where they could not be written. */
  beforeCommit: (durable: Promise<void>) => void = () => {};
  readonly #options: AuthStateOptions;
  readonly #cache = new BoundedMap<string, unknown>(cachedValues);
  /** What is not on the disk yet: the latest value of each name, null where it is to be deleted. */
  #changed = new Map<string, unknown>();
  #commit: { durable: () => void; failed: (error: unknown) => void } | undefined;
  #revoked = false;

  constructor(options: AuthStateOptions) {
    this.#options = options;
    this.creds = (this.#read("creds") as AuthenticationCreds | undefined) ?? initAuthCreds();
    this.keys = {
      get: (type, ids) => this.#get(type, ids),
      set: (data) => this.#set(data),
    };
  }

  /** A phone has linked this login: only then are there credentials worth keeping. */
  get paired(): boolean {
    return this.creds.account !== undefined;
  }

  /** Its connection is over. */
  revoke(): void {
    this.#revoked = true;
    this.#cache.clear();
    this.#changed.clear();
    this.#commit?.failed(new ConnectionClosed());
    this.#commit = undefined;
  }

  /** Writes the credentials down, once there is a login to keep, together with the keys that changed before. */
  saveCreds(): void {
    if (this.paired) this.#write([["creds", encode(this.creds)]]);
  }

  #get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]): { [id: string]: SignalDataTypeMap[T] } {
    const found: { [id: string]: SignalDataTypeMap[T] } = {};
    for (const id of ids) {
      const name = `${type}:${id}`;
      const changed = this.#changed.get(name);
      const value = (changed === undefined ? (this.#cache.get(name) ?? this.#load(type, name)) : changed) as
        | SignalDataTypeMap[T]
        | undefined;
      if (value != null) found[id] = value;
    }
    return found;
  }

  #load(type: keyof SignalDataTypeMap, name: string): unknown {
    const stored = this.#read(name);
    if (stored === undefined) return undefined;
    const value =
      type === "app-state-sync-key" ? proto.Message.AppStateSyncKeyData.fromObject(stored as object) : stored;
    if (!uncached.has(type)) this.#cache.set(name, value);
    return value;
  }

  #set(data: SignalDataSet): void {
    this.#assertWritable();
    for (const [type, entries] of Object.entries(data)) {
      for (const [id, value] of Object.entries(entries ?? {})) {
        const name = `${type}:${id}`;
        // What the ratchet wrote ahead comes again with the transaction's commit.
        if (value !== null && this.#cache.get(name) === value) continue;
        this.#changed.set(name, value ?? null);
        if (uncached.has(type)) continue;
        if (value == null) this.#cache.delete(name);
        else this.#cache.set(name, value);
      }
    }
    if (this.#changed.size > 0 && this.#commit === undefined) this.#promiseCommit();
  }

  #promiseCommit(): void {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#commit = { durable: resolve, failed: reject };
    // Whoever rests on it hears of a failure through onFault too.
    promise.catch(() => {});
    this.beforeCommit(promise);
    setImmediate(() => {
      if (this.#changed.size === 0 || this.#revoked) return;
      try {
        this.#write([]);
      } catch {
        // Told by onFault.
      }
    });
  }

  #read(name: string): unknown {
    if (this.#revoked) throw new ConnectionClosed();
    try {
      const stored = this.#options.store.read(name);
      return stored === undefined ? undefined : JSON.parse(stored.toString("utf8"), BufferJSON.reviver);
    } catch (error) {
      this.#options.onFault(error);
      throw error;
    }
  }

  /** Writes what changed, and these: one transaction. */
  #write(more: [string, Uint8Array | null][]): void {
    this.#assertWritable();
    const [changed, commit] = [this.#changed, this.#commit];
    this.#changed = new Map();
    this.#commit = undefined;
    try {
      this.#options.store.write([
        ...[...changed].map(([name, value]): [string, Uint8Array | null] => [
          name,
          value == null ? null : encode(value),
        ]),
        ...more,
      ]);
      commit?.durable();
    } catch (error) {
      commit?.failed(error);
      this.#options.onFault(error);
      throw error;
    }
  }

  #assertWritable(): void {
    if (this.#revoked) throw new ConnectionClosed();
    try {
      this.#options.fence();
    } catch (error) {
      this.#options.onFault(error);
      throw error;
    }
  }
}

function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value, BufferJSON.replacer), "utf8");
}
