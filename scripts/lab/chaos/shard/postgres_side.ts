import type { OwnerConnection } from "../../../../lib/db/client/owner.ts";

/** A message as Postgres has it. */
export type Row = {
  id: string;
  business_id: string;
  direction: "inbound" | "outbound";
  chat: string;
  sender: string | null;
  type: string;
  text: string | null;
  content: ({ reason?: string; options?: string[]; target?: { id?: string } } & Record<string, unknown>) | null;
  wa_message_id: string;
  status: string;
  error_code: string | null;
  edited_at: Date | null;
  deleted_at: Date | null;
  reactions: { sender: string | null; emoji: string }[] | null;
  group_recipients: number | null;
  group_delivered: number | null;
  group_read: number | null;
};

/** All messages that Postgres has, in the order of their ids. */
export class PostgresSide {
  readonly rows: readonly Row[];
  readonly #byWaId: Map<string, Row[]>;

  private constructor(rows: readonly Row[]) {
    this.rows = rows;
    this.#byWaId = Map.groupBy(rows, ({ business_id, wa_message_id }) => `${business_id} ${wa_message_id}`);
  }

  static async read(owner: OwnerConnection): Promise<PostgresSide> {
    return new PostgresSide(
      await owner<Row[]>`
        select id, business_id, direction, chat, sender, type, text, content, wa_message_id, status, error_code,
               edited_at, deleted_at, reactions, group_recipients, group_delivered, group_read
        from messages order by id`,
    );
  }

  /** The rows of a message: one, unless it was lost or stored twice. */
  named(businessId: string, waId: string): readonly Row[] {
    return this.#byWaId.get(`${businessId} ${waId}`) ?? [];
  }
}
