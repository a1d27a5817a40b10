import type { BinaryNode } from "@whiskeysockets/baileys";
import { createHmac } from "node:crypto";
import type { AuthStore } from "../auth/auth_store.ts";
import { fieldsOf } from "../codec/unknown_fields.ts";

/*
 * WhatsApp refuses some accounts' messages to new contacts with 463, unless they carry a token. A contact that has
 * written gives one (`tctoken`, which Baileys adds). For any other contact WhatsApp Web computes `cstoken` =
 * HMAC-SHA256(salt, LID of the contact). The phone shares the account's salt with the history, or in the app state.
 */

/** The entries of the auth store. The app state's is empty once it has removed the salt. */
const entries = {
  history: "contact_salt",
  appState: "contact_salt_synced",
  fetched: "contact_salt_fetched",
  /** The time of the last fetch, Unix ms. */
  fetching: "contact_salt_fetching",
} as const;

/** A fetch that failed is retried after this: the phone shows a notification of each. */
export const saltRetryMs = 6 * 60 * 60_000;

/** The collection and the first part of the index of the app state's salt. */
export const saltCollection = "regular_high";
const saltIndex = "nct_salt_sync";
/** Fields of SyncActionData, SyncActionValue and NctSaltSyncAction; Baileys' definitions lack the second. */
const [actionValue, saltAction, saltBytes] = [2, 80, 1];
const removed = 1;
const maxSaltBytes = 256;

/** A change of the app state, from our patch. */
export type SyncAction = { index: unknown; operation: number | null | undefined; encoded: Uint8Array };

export class ContactSalt {
  readonly #store: () => Pick<AuthStore, "read" | "write"> | undefined;

  constructor(store: () => Pick<AuthStore, "read" | "write"> | undefined) {
    this.#store = store;
  }

  /** The app state's is the later one: a history may be downloaded long after it. */
  get(): Uint8Array | undefined {
    const synced = this.#store()?.read(entries.appState);
    if (synced !== undefined) return synced.length > 0 ? synced : undefined;
    return this.#store()?.read(entries.history);
  }

  /** True if the app state has to be fetched: once a login, because the phone shows a notification of each fetch. */
  isDue(now = Date.now()): boolean {
    const store = this.#store();
    if (store === undefined || this.get() !== undefined || store.read(entries.fetched) !== undefined) return false;
    const since = now - Number(store.read(entries.fetching)?.toString() ?? Number.NEGATIVE_INFINITY);
    // A clock that was set back must not suppress the fetch.
    return since < 0 || since >= saltRetryMs;
  }

  /** A fetch of the app state begins. */
  fetching(): void {
    this.#store()?.write([[entries.fetching, Buffer.from(String(Date.now()))]]);
  }

  /** The app state was fetched; WhatsApp announces its later changes. */
  fetched(): void {
    this.#store()?.write([[entries.fetched, Buffer.from("1")]]);
  }

  /** Takes the salt, or its removal, from a change of the app state. Ignores other changes. */
  take(action: SyncAction): void {
    const salt = changedSalt(action);
    if (salt !== undefined) this.#store()?.write([[entries.appState, salt]]);
  }
}

export const writeHistorySalt = (store: Pick<AuthStore, "write">, salt: Uint8Array): void =>
  store.write([[entries.history, salt]]);

/** Empty if the salt was removed; undefined if the change is about something else, or malformed. */
export function changedSalt({ index, operation, encoded }: SyncAction): Uint8Array | undefined {
  if (!Array.isArray(index) || index[0] !== saltIndex) return undefined;
  if (operation === removed) return new Uint8Array();
  const value = [actionValue, saltAction, saltBytes].reduce<Uint8Array | undefined>(
    (bytes, field) => bytes && fieldsOf(bytes).find(({ number }) => number === field)?.value,
    encoded,
  );
  return value !== undefined && value.length > 0 && value.length <= maxSaltBytes ? Uint8Array.from(value) : undefined;
}

/** Adds the computed token to a message's stanza, unless it carries the contact's own. */
export function addContactToken({ content }: BinaryNode, salt: Uint8Array, lid: string): void {
  if (!Array.isArray(content) || content.some(({ tag }) => tag === "tctoken" || tag === "cstoken")) return;
  content.push({ tag: "cstoken", attrs: {}, content: createHmac("sha256", salt).update(lid).digest() });
}
