import { decodeBinaryNode, encodeBinaryNode, isJidGroup, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { Store } from "../store.ts";
import type { BinaryNode } from "../wire/stanza.ts";

/** A stanza that the server keeps until the device acknowledges it. */
type PendingStanza = {
  seq: number;
  stanza: Buffer;
  due: number;
  attempts: number;
  retry?: boolean;
  refused?: boolean;
  /** Receipts of the same key that the device has got and not acknowledged yet: it acknowledges them first. */
  earlier?: number;
};

/** The connection of a device that is logged in. */
export type Recipient = { deliver(stanza: Uint8Array): void };

/** The fields of a stanza, or of its acknowledgement, that identify it. `from` is the acknowledgement's `to`. */
export type StanzaIdentity = { id: string; from?: string; type?: string; participant?: string };

/**
 * Key of a stanza. A message has one per name of its chat: WhatsApp may deliver it under several. In a group the sender
 * is part of it, because senders choose the ids.
 */
export const stanzaKey = (tag: string, { id, from = "", type = "", participant = "" }: StanzaIdentity) =>
  tag === "message"
    ? `message ${id} ${jidNormalizedUser(from)}${isJidGroup(from) ? ` ${jidNormalizedUser(participant)}` : ""}`
    : `${tag} ${id} ${type}${tag === "receipt" && participant ? ` ${participant}` : ""}`;

/**
 * The server's queue of stanzas for one device. Sends each stanza once while the device is logged in, and again, marked
 * offline, after each later login until the device acknowledges it. The backlog of a login is sent as the device
 * requests it, and later stanzas wait behind it. A refused stanza blocks the queue from the next login on: the device
 * receives that stanza alone until it acknowledges it.
 */
export class Mailbox {
  readonly #phone: string;
  readonly #device: number;
  readonly #store: Store;
  readonly #pending = new Map<string, PendingStanza>();
  #recipient: Recipient | undefined;
  /** The part of the backlog that the device has not requested yet; undefined once all of it was sent. */
  #backlog: [key: string, PendingStanza][] | undefined;
  /** The refused stanza that the others wait behind. */
  #blockedBy: PendingStanza | undefined;

  constructor(phone: string, device: number, store: Store) {
    this.#phone = phone;
    this.#device = device;
    this.#store = store;
    const rows = store.db
      .query<{ seq: number; key: string; stanza: Uint8Array }, [string, number]>(
        "SELECT seq, key, stanza FROM mail WHERE phone = ? AND device = ? ORDER BY seq",
      )
      .all(phone, device);
    for (const row of rows)
      this.#pending.set(row.key, { seq: row.seq, stanza: Buffer.from(row.stanza), due: 0, attempts: 0 });
  }

  /** True if the device is logged in and receives its stanzas. */
  get isOpen(): boolean {
    return this.#recipient !== undefined;
  }

  get size(): number {
    return this.#pending.size;
  }

  /**
   * Enqueues a stanza for the device. Sends it at `due` (Unix ms, at once by default), or after the next login. The
   * stanza is durable once the store has committed. Replaces an earlier stanza of the same key.
   */
  put(
    stanza: BinaryNode,
    { due = 0, copies = 1, retry = false }: { due?: number; copies?: number; retry?: boolean } = {},
  ): void {
    const key = stanzaKey(stanza.tag, stanza.attrs as StanzaIdentity);
    const earlier = this.#pending.get(key);
    if (earlier) this.#erase(key, earlier);
    const pending: PendingStanza = {
      seq: nextSeq(this.#store),
      stanza: encodeBinaryNode(stanza),
      due,
      attempts: 0,
      retry,
      earlier: stanza.tag === "receipt" && earlier ? (earlier.earlier ?? 0) + Math.min(earlier.attempts, 1) : 0,
    };
    this.#pending.set(key, pending);
    this.#store.write(() =>
      this.#store.db
        .query("INSERT INTO mail (seq, phone, device, key, stanza) VALUES (?, ?, ?, ?, ?)")
        .run(pending.seq, this.#phone, this.#device, key, pending.stanza),
    );
    const wait = due - Date.now();
    if (wait > 0) setTimeout(() => this.#post(key, pending, copies), wait).unref();
    else this.#store.afterCommit(() => this.#post(key, pending, copies));
  }

  /** Removes an acknowledged stanza. Returns false if it does not exist. */
  acknowledge(key: string): boolean {
    const pending = this.#pending.get(key);
    if (!pending) return false;
    if (pending.earlier) {
      pending.earlier -= 1;
      return true;
    }
    this.#erase(key, pending);
    if (this.#blockedBy === pending && this.#recipient) {
      this.open(this.#recipient);
      void this.send(this.#recipient);
    }
    return true;
  }

  /** Keeps a stanza that the device refused. Does nothing if it does not exist. */
  refuse(key: string): void {
    const pending = this.#pending.get(key);
    if (pending) pending.refused = true;
  }

  /** True if the stanza answers a retry receipt and has not been acknowledged since. */
  isRetry(key: string): boolean {
    return this.#pending.get(key)?.retry ?? false;
  }

  /** The device has logged in. Returns the length of its backlog; behind a refused stanza the others wait. */
  open(recipient: Recipient): number {
    this.#recipient = recipient;
    const due = [...this.#pending].filter(([, pending]) => pending.due <= Date.now());
    const blocking = due.find(([, { refused }]) => refused);
    this.#blockedBy = blocking?.[1];
    this.#backlog = blocking ? [blocking] : due;
    // Over the new connection only what is pending is delivered, and acknowledged.
    for (const [, pending] of due) pending.earlier = 0;
    return this.#backlog.length;
  }

  /**
   * Sends the next stanzas of the backlog in order, marked offline, and after the last one the stanzas that arrived or
   * became due since the login. Returns true if this call sent the last one.
   */
  async send(recipient: Recipient, count = Number.POSITIVE_INFINITY): Promise<boolean> {
    const backlog = this.#recipient === recipient ? this.#backlog : undefined;
    if (backlog === undefined) return false;
    for (const [key, pending] of backlog.splice(0, count)) {
      const stanza = await decodeBinaryNode(pending.stanza);
      if (this.#backlog !== backlog || this.#recipient !== recipient) return false;
      if (this.#pending.get(key) !== pending) continue;
      recipient.deliver(encodeBinaryNode({ ...stanza, attrs: { ...stanza.attrs, offline: String(pending.attempts) } }));
      pending.attempts += 1;
    }
    if (backlog.length > 0) return false;
    this.#backlog = undefined;
    for (const [key, pending] of this.#pending) {
      if (pending.due <= Date.now()) this.#post(key, pending, 1);
    }
    return true;
  }

  /** Stops sending. Does nothing if a later connection has replaced this one. */
  close(recipient: Recipient): void {
    if (this.#recipient === recipient) this.#recipient = undefined;
  }

  #post(key: string, pending: PendingStanza, copies: number): void {
    if (!this.#recipient || this.#backlog !== undefined || this.#blockedBy) return;
    if (pending.attempts > 0 || this.#pending.get(key) !== pending) return;
    pending.attempts += 1;
    for (let copy = 0; copy < copies; copy++) this.#recipient.deliver(pending.stanza);
  }

  #erase(key: string, pending: PendingStanza): void {
    this.#pending.delete(key);
    this.#store.write(() => this.#store.db.query("DELETE FROM mail WHERE seq = ?").run(pending.seq));
  }
}

const lastSeqs = new WeakMap<Store, number>();

function nextSeq(store: Store): number {
  const last =
    lastSeqs.get(store) ??
    store.db.query<{ seq: number | null }, []>("SELECT max(seq) AS seq FROM mail").get()?.seq ??
    0;
  lastSeqs.set(store, last + 1);
  return last + 1;
}
