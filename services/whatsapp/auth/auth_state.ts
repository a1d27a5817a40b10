import { BufferJSON, initAuthCreds, proto } from "@whiskeysockets/baileys";
import type { AuthenticationCreds, AuthenticationState, SignalDataSet, SignalDataTypeMap, SignalKeyStore } from "@whiskeysockets/baileys";
import { BoundedMap } from "../bounded_map.ts";
import { ConnectionOver } from "../session/stray.ts";
import type { AuthStore } from "./auth_store.ts";

/** Values kept in memory for one session. A chat in use needs three; a session is then read from disk about never. */
const cachedValues = 256;
/** Read once each and 812 of them after pairing: not worth memory. */
const uncached: ReadonlySet<string> = new Set<keyof SignalDataTypeMap>(["pre-key", "app-state-sync-key", "app-state-sync-version"]);

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
 */
export class AuthState implements AuthenticationState {
  readonly creds: AuthenticationCreds;
  readonly keys: SignalKeyStore;
  readonly #options: AuthStateOptions;
  readonly #cache = new BoundedMap<string, unknown>(cachedValues);
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
  }

  /** Writes the credentials down, once there is a login to keep. */
  saveCreds(): void {
    if (this.paired) this.#write([["creds", encode(this.creds)]]);
  }

  #get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]): { [id: string]: SignalDataTypeMap[T] } {
    const found: { [id: string]: SignalDataTypeMap[T] } = {};
    for (const id of ids) {
      const name = `${type}:${id}`;
      const value = (this.#cache.get(name) ?? this.#load(type, name)) as SignalDataTypeMap[T] | undefined;
      if (value !== undefined) found[id] = value;
    }
    return found;
  }

  #load(type: keyof SignalDataTypeMap, name: string): unknown {
    const stored = this.#read(name);
    if (stored === undefined) return undefined;
    const value = type === "app-state-sync-key" ? proto.Message.AppStateSyncKeyData.fromObject(stored as object) : stored;
    if (!uncached.has(type)) this.#cache.set(name, value);
    return value;
  }

  /** One transaction, whatever the mix of types. */
  #set(data: SignalDataSet): void {
    const changes: [string, Uint8Array | null][] = [];
    const values: [string, unknown][] = [];
    for (const [type, entries] of Object.entries(data)) {
      for (const [id, value] of Object.entries(entries ?? {})) {
        const name = `${type}:${id}`;
        const held = this.#cache.get(name);
        // What the ratchet wrote ahead comes again with the transaction's commit.
        if (value !== null && held === value) continue;
        changes.push([name, value == null ? null : encode(value)]);
        if (!uncached.has(type)) values.push([name, value]);
      }
    }
    if (changes.length === 0) return;
    this.#write(changes);
    for (const [name, value] of values) {
      if (value == null) this.#cache.delete(name);
      else this.#cache.set(name, value);
    }
  }

  #read(name: string): unknown {
    if (this.#revoked) throw new ConnectionOver();
    try {
      const stored = this.#options.store.read(name);
      return stored === undefined ? undefined : JSON.parse(stored.toString("utf8"), BufferJSON.reviver);
    } catch (error) {
      this.#options.onFault(error);
      throw error;
    }
  }

  #write(changes: [string, Uint8Array | null][]): void {
    if (this.#revoked) throw new ConnectionOver();
    try {
      this.#options.fence();
      this.#options.store.write(changes);
    } catch (error) {
      this.#options.onFault(error);
      throw error;
    }
  }
}

function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value, BufferJSON.replacer), "utf8");
}
