import type { BothSides } from "./both_sides.ts";
import type { PostgresSide, Row } from "./postgres_side.ts";
import type { Register } from "./scenarios/occurrence.ts";

export type Counts = {
  /** First messages of people who come from an advertisement, which have their content; and those without. */
  adsReceived: number;
  adsLost: number;
  /** Accounts with rows in more than one chat. */
  splitChats: number;
  /** Statuses and channel posts that were stored. */
  statusesStored: number;
  /** Failed messages without a final refusal in the ledger. */
  passingFailures: number;
  /** Received messages that no phone wrote. */
  invented: number;
};

/** Compares what the simulator did with what Postgres has. */
export function countsOf(
  { whatsapp, postgres, chats }: BothSides,
  phones: ReadonlyMap<string, string>,
  register: Register,
): Counts {
  const ads = whatsapp.all("withheld").filter(({ as }) => as === "unavailable");
  const hasContent = ads.filter(({ phone, id }) =>
    postgres.named(phones.get(phone) ?? "", id).some(({ direction, text }) => direction === "inbound" && text !== null),
  );
  const { rows } = postgres;
  const isPost = ({ chat, wa_message_id }: { chat: string; wa_message_id: string }) =>
    /@(broadcast|newsletter)$/.test(chat) || register.posted.has(wa_message_id);
  const failed = rows.filter(({ direction, status }) => direction === "outbound" && status === "failed");
  return {
    adsReceived: hasContent.length,
    adsLost: ads.length - hasContent.length,
    splitChats: [...chats.values()].filter(({ size }) => size > 1).length,
    statusesStored: rows.filter(isPost).length,
    passingFailures: failed.filter(
      ({ wa_message_id: waId, chat, error_code: error }) => !whatsapp.finallyRefused({ waId, chat, error }),
    ).length,
    invented: inventedRows(postgres, register).length,
  };
}

/** Received messages that no phone wrote. */
export const inventedRows = ({ rows }: PostgresSide, register: Register): Row[] =>
  rows.filter((row) => row.direction === "inbound" && !register.written.has(row.wa_message_id));
