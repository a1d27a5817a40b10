import { existsSync, readdirSync } from "node:fs";
import { messageOf } from "../../../lib/core/errors.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import { AuthStore, AuthStoreError } from "../auth/auth_store.ts";
import type { StoreCopy } from "../auth/auth_store.ts";
import type { Volume } from "../volume/volume.ts";
import { storeFolders } from "./records.ts";
import type { ChangeRecord, StoreFolder } from "./records.ts";

export type StoreCopiesOptions = {
  volume: Volume;
  keys: KeyRing;
  logger: Logger;
  add(records: readonly ChangeRecord[]): void;
  /** Changes could not be added: only a snapshot makes the copy complete again. */
  drop(reason: string): void;
  /** Resolves once the copy has what was added; undefined if nothing waits for that. */
  copied(): Promise<void> | undefined;
};

/** Copies the auth stores on the volume. An open store is read through its owner: SQLite locks it exclusively. */
export class StoreCopies {
  readonly #options: StoreCopiesOptions;
  readonly #open = new Map<string, AuthStore>();

  constructor(options: StoreCopiesOptions) {
    this.#options = options;
  }

  /** To be given to the store of a business. */
  of(folder: StoreFolder, businessId: string): StoreCopy {
    const path = `${folder}/${businessId}`;
    return {
      opened: (store) => void this.#open.set(path, store),
      closed: () => void this.#open.delete(path),
      wrote: (changes) => {
        this.#options.add(changes.map(([name, value]) => ["auth", folder, businessId, name, value]));
        return this.#options.copied();
      },
    };
  }

  /** The store was archived or discarded. */
  removed(folder: StoreFolder, businessId: string): void {
    this.#options.add([["removed", folder, businessId]]);
  }

  /** The staged store became the one in use. */
  promoted(businessId: string): void {
    this.removed("arriving", businessId);
    this.removed("sessions", businessId);
    try {
      this.#options.add(this.#read("sessions", businessId));
    } catch (error) {
      this.#options.drop(`a promoted auth store cannot be read now: ${messageOf(error)}`);
    }
  }

  /**
   * Every store on the volume. A store that changes in the meantime is also written to the tail.
   * @throws an error of the volume, such as too many open files: the snapshot would lack a login.
   */
  *all(): Generator<ChangeRecord[]> {
    for (const folder of storeFolders) {
      const path = this.#options.volume.file(folder);
      for (const businessId of existsSync(path) ? readdirSync(path) : []) yield this.#read(folder, businessId);
    }
  }

  #read(folder: StoreFolder, businessId: string): ChangeRecord[] {
    const open = this.#open.get(`${folder}/${businessId}`);
    const { volume, keys, logger } = this.#options;
    const path = volume.file(folder, businessId, "auth.db");
    if (open === undefined && !existsSync(path)) return [];
    try {
      if (open !== undefined) return valuesOf(open, folder, businessId);
      const store = AuthStore.open(path, businessId, keys);
      try {
        return valuesOf(store, folder, businessId);
      } finally {
        store.close();
      }
    } catch (error) {
      if (!(error instanceof AuthStoreError)) throw error;
      // Its session cannot open it either.
      logger.warn({ business_id: businessId, error: messageOf(error) }, "an unreadable auth store is not copied");
      return [];
    }
  }
}

function valuesOf(store: AuthStore, folder: StoreFolder, businessId: string): ChangeRecord[] {
  return store.names().map((name): ChangeRecord => ["auth", folder, businessId, name, store.read(name) ?? null]);
}
