import type { Statement } from "bun:sqlite";
import type { ShardDb } from "../volume/shard_db.ts";
import type { FinalResult } from "./result.ts";

export type Handed = { waMessageId: string; chat: string; body: Uint8Array };

/** One message in the ledger, with its plaintext, as it is transferred to another shard. */
export type LedgerRow = {
  wa_message_id: string;
  at: number;
  chat: string;
  body: Uint8Array;
  /** Of a group message: the members that it was sent to, if known. */
  recipients: number | null;
  result: FinalResult["status"] | null;
  result_at: number | null;
  error_code: string | null;
  error_message: string | null;
};

/** Rows written in one commit: a few milliseconds of the event loop. */
const rowsPerCommit = 500;

type ResultRow = {
  result: string | null;
  result_at: number;
  recipients: number | null;
  error_code: string;
  error_message: string;
};
type SealedRow = { business_id: string; wa_message_id: string; key_id: string; body: Uint8Array };
type BodyRow = { key_id: string; body: Uint8Array };

/**
 * How long a message is remembered: longer than an outbox row is retried, and than a phone requests a message again.
 */
export const ledgerRetentionMs = 7 * 86_400_000;

/**
 * The messages that this shard was handed, and their results. A message with a final result is never sent again. A
 * message that the recipient's phone could not decrypt can be resent, across restarts too.
 */
export class Ledger {
  readonly #db: ShardDb;
  readonly #result: Statement<ResultRow, [string, string]>;
  readonly #body: Statement<BodyRow, [string, string]>;
  readonly #sentTo: Statement<{ chat: string; recipients: number | null }, [string, string]>;
  readonly #at: Statement<{ at: number }, [string, string]>;
  readonly #insert: Statement<unknown, [string, string, number, string, string, Uint8Array, number | null]>;
  readonly #setRecipients: Statement<unknown, [number, string, string]>;
  readonly #update: Statement<unknown, [string, number, string | null, string | null, string, string]>;
  readonly #entries: Statement<LedgerRow & { key_id: string }, [string]>;
  readonly #purge: Statement<unknown, [number]>;

  constructor(db: ShardDb) {
    this.#db = db;
    this.#result = db.db.query(
      "SELECT result, result_at, recipients, error_code, error_message FROM sends " +
        "WHERE business_id = ? AND wa_message_id = ?",
    );
    this.#body = db.db.query("SELECT key_id, body FROM sends WHERE business_id = ? AND wa_message_id = ?");
    this.#sentTo = db.db.query("SELECT chat, recipients FROM sends WHERE business_id = ? AND wa_message_id = ?");
    this.#at = db.db.query("SELECT at FROM sends WHERE business_id = ? AND wa_message_id = ?");
    this.#insert = db.db.query(
      "INSERT INTO sends (business_id, wa_message_id, at, chat, key_id, body, recipients) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    );
    this.#setRecipients = db.db.query("UPDATE sends SET recipients = ? WHERE business_id = ? AND wa_message_id = ?");
    this.#update = db.db.query(
      "UPDATE sends SET result = ?, result_at = ?, error_code = ?, error_message = ? " +
        "WHERE business_id = ? AND wa_message_id = ? AND result IS NULL",
    );
    this.#entries = db.db.query(
      "SELECT wa_message_id, at, chat, key_id, body, recipients, result, result_at, error_code, error_message " +
        "FROM sends WHERE business_id = ? ORDER BY at",
    );
    this.#purge = db.db.query("DELETE FROM sends WHERE at < ?");
  }

  resultOf(businessId: string, waMessageId: string): FinalResult | undefined {
    const row = this.#result.get(businessId, waMessageId);
    if (!row || row.result === null) return undefined;
    if (row.result === "sent") {
      const { recipients } = row;
      return { status: "sent", at: row.result_at, ...(recipients === null ? {} : { recipients }) };
    }
    return { status: "failed", at: row.result_at, error: { code: row.error_code, message: row.error_message } };
  }

  /** The plaintext of a message, as it was first handed over. */
  body(businessId: string, waMessageId: string): Buffer | undefined {
    const row = this.#body.get(businessId, waMessageId);
    return row
      ? this.#db.sealer.open({ keyId: row.key_id, box: row.body }, context(businessId, waMessageId))
      : undefined;
  }

  /**
   * The chat that a message was sent to and, of a group message, the number of members, if known. Neither reads nor
   * decrypts its plaintext.
   */
  sentTo(businessId: string, waMessageId: string): { chat: string; recipients: number | null } | undefined {
    return this.#sentTo.get(businessId, waMessageId) ?? undefined;
  }

  /** When a message was first handed over, Unix ms. */
  handedAt(businessId: string, waMessageId: string): number | undefined {
    return this.#at.get(businessId, waMessageId)?.at;
  }

  /** Records messages before they are handed to WhatsApp. */
  async add(businessId: string, messages: readonly Handed[]): Promise<void> {
    const at = Date.now();
    const sealed = messages.map((message) => ({
      message,
      box: this.#db.sealer.seal(message.body, context(businessId, message.waMessageId)),
    }));
    await this.#db.write(() => {
      for (const { message, box } of sealed) {
        this.#insert.run(businessId, message.waMessageId, at, message.chat, box.keyId, box.box, null);
      }
    });
  }

  /** Records the number of members that a group message is about to be sent to. */
  async setRecipients(businessId: string, waMessageId: string, recipients: number): Promise<void> {
    await this.#db.write(() => void this.#setRecipients.run(recipients, businessId, waMessageId));
  }

  /** Records a result, and resolves with the recorded one: the first stands. */
  async settle(businessId: string, waMessageId: string, result: FinalResult): Promise<FinalResult> {
    const error = result.status === "failed" ? result.error : null;
    await this.#db.write(
      () =>
        void this.#update.run(
          result.status,
          result.at,
          error?.code ?? null,
          error?.message ?? null,
          businessId,
          waMessageId,
        ),
    );
    return this.resultOf(businessId, waMessageId) ?? result;
  }

  /** All messages of a business. */
  entriesOf(businessId: string): LedgerRow[] {
    return this.#entries.all(businessId).map(({ key_id, ...row }) => {
      row.body = this.#db.sealer.open({ keyId: key_id, box: row.body }, context(businessId, row.wa_message_id));
      return row;
    });
  }

  /** Imports the rows of another shard. A result that is known here stands. */
  async takeOver(businessId: string, rows: readonly LedgerRow[]): Promise<void> {
    for (let from = 0; from < rows.length; from += rowsPerCommit) {
      const sealed = rows.slice(from, from + rowsPerCommit).map((row) => ({
        row,
        box: this.#db.sealer.seal(row.body, context(businessId, row.wa_message_id)),
      }));
      await this.#db.write(() => {
        for (const { row, box } of sealed) {
          this.#insert.run(businessId, row.wa_message_id, row.at, row.chat, box.keyId, box.box, row.recipients);
          if (row.result === null || row.result_at === null) continue;
          this.#update.run(row.result, row.result_at, row.error_code, row.error_message, businessId, row.wa_message_id);
        }
      });
    }
  }

  /** Reseals rows that were sealed under an older key of the ring, a page at a time. Resolves with their number. */
  async reseal(): Promise<number> {
    const { db, sealer } = this.#db;
    const page = db.query<SealedRow, [string, string, number]>(
      `SELECT business_id, wa_message_id, key_id, body FROM sends WHERE (business_id, wa_message_id) > (?, ?)
       ORDER BY business_id, wa_message_id LIMIT ?`,
    );
    const update = db.query<unknown, [string, Uint8Array, string, string]>(
      "UPDATE sends SET key_id = ?, body = ? WHERE business_id = ? AND wa_message_id = ?",
    );
    let resealed = 0;
    for (let last: SealedRow | undefined; ;) {
      const rows = page.all(last?.business_id ?? "", last?.wa_message_id ?? "", rowsPerCommit);
      if (rows.length === 0) return resealed;
      last = rows.at(-1);
      const stale = rows.filter(({ key_id }) => !sealer.isCurrent(key_id));
      const sealed = stale.map(({ business_id, wa_message_id, key_id, body }) => {
        const about = context(business_id, wa_message_id);
        return { business_id, wa_message_id, ...sealer.seal(sealer.open({ keyId: key_id, box: body }, about), about) };
      });
      // A message's body never changes, so this write cannot overwrite a newer one.
      await this.#db.write(() => {
        for (const { business_id, wa_message_id, keyId, box } of sealed)
          update.run(keyId, box, business_id, wa_message_id);
      });
      resealed += sealed.length;
    }
  }

  /** Deletes messages older than the retention. */
  async purge(now = Date.now()): Promise<void> {
    await this.#db.write(() => void this.#purge.run(now - ledgerRetentionMs));
  }
}

function context(businessId: string, waMessageId: string): string {
  return `sends/${businessId}/${waMessageId}`;
}
