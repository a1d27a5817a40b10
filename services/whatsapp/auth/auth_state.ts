import { BufferJSON, initAuthCreds, proto } from "@whiskeysockets/baileys";
import type {
  AuthenticationCreds,
  AuthenticationState,
  SignalDataSet,
  SignalDataTypeMap,
  SignalKeyStore,
} from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { sleep } from "../../../lib/core/time.ts";
import { runningNow } from "../../../lib/runtime/running_clock.ts";
import { ConnectionClosed } from "../session/survivable.ts";
import { OwnershipUnconfirmed } from "../volume/owner.ts";
import type { AuthStore } from "./auth_store.ts";

/** Values cached for one session. An active chat needs three, so a session hardly ever reads from the disk. */
const cachedValues = 256;
/** Read once each, and 812 of them after pairing: not worth the memory. */
const uncached: ReadonlySet<string> = new Set<keyof SignalDataTypeMap | "account-unannounced">([
  "pre-key",
  "app-state-sync-key",
  "app-state-sync-version",
  "account-unannounced",
]);

/**
 * Types whose absent values are remembered too: the names of an account are read for each of its messages, and few
 * numbers have another spelling.
 */
const mostlyAbsent: ReadonlySet<string> = new Set(["account-spelling", "lid-mapping"]);

/**
 * How long changes wait in memory after a suspension of the process. Consul answers within milliseconds on a healthy
 * machine. A fault at once would reconnect all sessions of a machine that was only overloaded.
 */
const confirmationMs = 30_000;
const confirmationPollMs = 50;

export type AuthStateOptions = {
  store: AuthStore;
  /** Called before each write; throws if this process may no longer write, or OwnershipUnconfirmed if not yet. */
  fence: () => void;
  /** A read or write of the store failed: the session must stop before it answers WhatsApp. */
  onFault: (error: unknown) => void;
};

/**
 * Baileys' view of an auth store, for one connection: the credentials, and the Signal keys behind a bounded cache. The
 * next connection gets a new one, read from the disk; this one can then write nothing more.
 *
 * Key changes are batched: one transaction at the end of the event-loop turn writes them, so that a ratchet that
 * several messages advanced is written once. No frame that depends on them may leave the process before: `beforeCommit`
 * announces each commit.
 */
export class AuthState implements AuthenticationState {
  readonly creds: AuthenticationCreds;
  readonly keys: SignalKeyStore;
  /** Called when there are new changes to commit. The promise rejects if they could not be written. */
  beforeCommit: (durable: Promise<void>) => void = () => {};
  readonly #options: AuthStateOptions;
  readonly #cache = new BoundedMap<string, unknown>(cachedValues);
  /** Names without a value. Apart from the cache, so that they evict no Signal keys. */
  readonly #absent = new BoundedMap<string, true>(cachedValues);
  /** Changes that are not on the disk yet: the latest value of each name, or null to delete it. */
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

  /** One value of the store, of any type. */
  lookUp(type: string, id: string): unknown {
    return this.#get(type as keyof SignalDataTypeMap, [id])[id];
  }

  /** A phone has linked this login: only then are the credentials worth storing. */
  get paired(): boolean {
    return this.creds.account !== undefined;
  }

  /** The connection is over: rejects pending and later writes. */
  revoke(): void {
    this.#revoked = true;
    this.#cache.clear();
    this.#absent.clear();
    this.#changed.clear();
    this.#commit?.failed(new ConnectionClosed());
    this.#commit = undefined;
  }

  /** Stores the credentials once the login is linked, together with earlier key changes. */
  saveCreds(): void {
    if (!this.paired) return;
    if (this.#isConfirmed()) return this.#write([["creds", encode(this.creds)]]);
    this.#changed.set("creds", this.creds);
    if (this.#commit === undefined) this.#promiseCommit();
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
    if (this.#absent.get(name)) return undefined;
    const stored = this.#read(name);
    if (stored === undefined) {
      if (mostlyAbsent.has(type)) this.#absent.set(name, true);
      return undefined;
    }
    const value =
      type === "app-state-sync-key" ? proto.Message.AppStateSyncKeyData.fromObject(stored as object) : stored;
    if (!uncached.has(type)) this.#cache.set(name, value);
    return value;
  }

  #set(data: SignalDataSet): void {
    this.#isConfirmed();
    for (const [type, entries] of Object.entries(data)) {
      for (const [id, value] of Object.entries(entries ?? {})) {
        const name = `${type}:${id}`;
        // The transaction's commit repeats what the ratchet wrote ahead.
        if (value !== null && this.#cache.get(name) === value) continue;
        this.#changed.set(name, value ?? null);
        this.#absent.delete(name);
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
    // Dependents learn of a failure through onFault too.
    promise.catch(() => {});
    this.beforeCommit(promise);
    setImmediate(() => void this.#commitChanges());
  }

  async #commitChanges(): Promise<void> {
    const deadline = runningNow() + confirmationMs;
    try {
      while (this.#changed.size > 0 && !this.#isConfirmed() && runningNow() < deadline) {
        await sleep(confirmationPollMs);
      }
      if (this.#changed.size > 0) this.#write([]);
    } catch {
      // Reported by onFault, unless the connection is over.
    }
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

  /** Writes the pending changes and these in one transaction. */
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
      const { copied } = this.#options.store;
      if (copied === undefined) commit?.durable();
      else if (commit === undefined) this.beforeCommit(copied);
      else copied.then(commit.durable, commit.failed);
    } catch (error) {
      commit?.failed(error);
      this.#options.onFault(error);
      throw error;
    }
  }

  /** False while Consul has to confirm the ownership of the shard. */
  #isConfirmed(): boolean {
    try {
      this.#assertWritable((error) => error instanceof OwnershipUnconfirmed);
      return true;
    } catch (error) {
      if (error instanceof OwnershipUnconfirmed) return false;
      throw error;
    }
  }

  /** Reports errors as faults, except for those that are `tolerated`. */
  #assertWritable(tolerated: (error: unknown) => boolean = () => false): void {
    if (this.#revoked) throw new ConnectionClosed();
    try {
      this.#options.fence();
    } catch (error) {
      if (!tolerated(error)) this.#options.onFault(error);
      throw error;
    }
  }
}

function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value, BufferJSON.replacer), "utf8");
}
