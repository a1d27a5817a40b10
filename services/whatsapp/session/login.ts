import { existsSync } from "node:fs";
import { messageOf } from "../../../lib/core/errors.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import { AuthState } from "../auth/auth_state.ts";
import { AuthStore } from "../auth/auth_store.ts";
import type { StoreCopy } from "../auth/auth_store.ts";
import { readSuspension, writeSuspension } from "../auth/suspension.ts";
import type { Suspension } from "../auth/suspension.ts";
import { identityOf, noIdentity } from "./identity.ts";

type Options = {
  businessId: string;
  storePath: string;
  storeCopy?: StoreCopy | undefined;
  keys: KeyRing;
  /** Throws if this process no longer owns the shard. */
  fence: () => void;
  /** Moves the auth store to the archive; it is closed by then. */
  archiveStore: () => void;
  logger: Logger;
  onOpenFault: (error: unknown) => void;
  /** A read or write of the open store failed. */
  onStoreFault: (error: unknown) => void;
};

/** One business's login on the volume: its auth store, and the credentials as the current connection has them. */
export class Login {
  readonly #options: Options;
  #store: AuthStore | undefined;
  #auth: AuthState | undefined;
  #identity = noIdentity;
  #paired = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** The store, if it is open. */
  get store(): AuthStore | undefined {
    return this.#store;
  }

  get auth(): AuthState | undefined {
    return this.#auth;
  }

  get identity() {
    return this.#identity;
  }

  get paired(): boolean {
    return this.#paired;
  }

  /** Opens the store unless it is open. Returns undefined, after a call of `onOpenFault`, if that fails. */
  load(): AuthStore | undefined {
    if (this.#store) return this.#store;
    try {
      const { storePath, businessId, keys, storeCopy } = this.#options;
      this.#store = AuthStore.open(storePath, businessId, keys, storeCopy);
      this.renewAuth(this.#store);
      return this.#store;
    } catch (error) {
      // The unreadable store may hold a login: the session must not report itself unpaired, which would fail messages.
      this.#paired ||= existsSync(this.#options.storePath);
      this.#options.onOpenFault(error);
      return undefined;
    }
  }

  /** The auth state for a new connection, read from the disk. Revokes the earlier one. */
  renewAuth(store: AuthStore): AuthState {
    const { fence, onStoreFault } = this.#options;
    this.#auth?.revoke();
    const auth = new AuthState({ store, fence, onFault: onStoreFault });
    this.#auth = auth;
    this.refresh(auth);
    return auth;
  }

  /** Takes over what pairing or logging in has changed in the credentials. */
  refresh(auth: AuthState): void {
    this.#paired = auth.paired;
    this.#identity = identityOf(auth);
  }

  /** The connection is over: it can write nothing more. */
  revoke(): void {
    this.#auth?.revoke();
  }

  /** Syncs the credentials of a pairing to the disk, so that a power cut does not require scanning the code again. */
  syncPairing(): void {
    try {
      this.#store?.sync();
    } catch (error) {
      this.#options.logger.error(
        { error: messageOf(error) },
        "the credentials of a pairing may not survive a power cut",
      );
    }
  }

  /** Why the login must not be opened automatically, as recorded in the open store. */
  readSuspension(): Suspension | undefined {
    return this.#store === undefined ? undefined : readSuspension(this.#store);
  }

  /** Records a suspension, or its end, in the open store. */
  recordSuspension(suspension: Suspension | undefined): void {
    if (this.#store === undefined) return;
    try {
      this.#options.fence();
      writeSuspension(this.#store, suspension);
    } catch (error) {
      this.#options.logger.error(
        { error: messageOf(error) },
        "a suspension could not be recorded; a restart will open this login again",
      );
    }
  }

  close(): void {
    this.#store?.close();
    this.#store = undefined;
  }

  /** Moves the store to the archive: the login is logged out. */
  archive(): void {
    this.#auth?.revoke();
    this.#auth = undefined;
    this.close();
    this.#options.archiveStore();
    this.#paired = false;
    this.#identity = noIdentity;
  }
}
