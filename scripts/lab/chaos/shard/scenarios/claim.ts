import type { Business } from "../../../rig/pairing.ts";
import type { BothSides } from "../both_sides.ts";
import type { Row } from "../postgres_side.ts";
import { clockTime } from "../whatsapp_side.ts";
import type { Submitted } from "../submit.ts";

/** Returns what is wrong; nothing if both sides agree. */
export type Check = (sides: BothSides) => string[] | Promise<string[]>;

/** The invariants after one occurrence of a scenario. */
export type Claim = {
  /** True if WhatsApp's side shows that it happened. */
  happened: (sides: BothSides) => boolean;
  checks: Check[];
};

/** A message that a phone wrote. `from`: its number. */
export type Written = { id: string; from: string; text: string };

type Expected = Partial<Pick<Row, "type" | "direction" | "text">> & {
  /** In `content`, for one without content. */
  reason?: string;
  /** JID of a group; by default the chat is the writer's own. */
  group?: string;
  /** Number of the chat's account, if it is not the writer's. */
  account?: string;
};

/** A phone's message has one row, in the chat of its account, with its words. */
export const received =
  ({ id: businessId }: Pick<Business, "id">, { id, from, text }: Written, expected: Expected = {}): Check =>
  ({ whatsapp, postgres }) => {
    const { group, reason, account = from, ...fields } = expected;
    const wanted: Partial<Row> = { type: "text", direction: "inbound", text, ...fields };
    if (wanted.type === "unavailable") wanted.text = null;
    const rows = postgres.named(businessId, id);
    const [row] = rows;
    if (row === undefined) return [`${id} of ${from} is lost`];
    const faults = rows.length > 1 ? [`${id} of ${from} is stored ${rows.length} times`] : [];
    for (const [name, value] of Object.entries(wanted)) {
      const stored = row[name as keyof Row];
      if (stored !== value) faults.push(`${name} of ${id} is ${JSON.stringify(stored)}, not ${JSON.stringify(value)}`);
    }
    if (reason !== undefined && row.content?.reason !== reason)
      faults.push(`${id} is unavailable for ${String(row.content?.reason)} instead of ${reason}`);
    const isInChat = group === undefined ? whatsapp.accountOf(row.chat) === account : row.chat === group;
    if (!isInChat) faults.push(`${id} of ${from} is in the chat ${row.chat}`);
    return faults;
  };

/** A business's message was shown once and is sent; or WhatsApp refused it with a final code, and it failed. */
export const delivered =
  ({ id: businessId }: Pick<Business, "id">, { waId, chat, text }: Submitted, phone: string): Check =>
  async ({ whatsapp, postgres }) => {
    const [row] = postgres.named(businessId, waId);
    if (row === undefined) return [`${waId} to ${phone} has no row`];
    const shown = (await whatsapp.shown(phone)).filter((message) => message.text === text);
    const times = shown.map(({ timestamp }) => `shown ${clockTime(timestamp)}`);
    if (whatsapp.finallyRefused({ waId, chat, error: row.error_code })) {
      if (row.status === "failed" && shown.length === 0) return [];
      return [`${waId} was refused, and is ${row.status}: ${[whatsapp.refusalTimes(waId), ...times].join(", ")}`];
    }
    const faults = shown.length === 1 ? [] : [`${phone} shows ${waId} ${shown.length} times: ${times.join(", ")}`];
    if (row.status === "failed" || row.status === "queued")
      faults.push(`${waId} to ${phone} is ${row.status} (${row.error_code})`);
    return faults;
  };

/** The rows of a business's chat with an account are all in one chat. */
export const inOneChat =
  ({ id: businessId }: Pick<Business, "id">, account: string): Check =>
  ({ chats }) => {
    const found = chats.get(`${businessId} ${account}`) ?? new Set();
    return found.size === 1 ? [] : [`${account} has the chats ${[...found].join(", ")}`];
  };
