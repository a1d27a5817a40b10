import { sequencedUuidv7, uuidv7Floor, uuidv7Sequence, uuidv7Time } from "../../core/ids.ts";
import { toJson } from "../client/json.ts";
import { chatNamed } from "../chats/chat_of.ts";
import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";
import type { InboundMessage } from "./insert_inbound.ts";

/** A message with the id that its row gets. */
export type IdentifiedMessage = InboundMessage & { id: string };

const secondMs = 1000;
const lastSequence = 0xfff;
/** Shards request missing content for this long. The content may name the phone's time instead of the server's. */
const sameMessageMs = 14 * 86_400_000;
/**
 * Rows read of one WhatsApp id under other names of its chat and sender, outside the message's second: senders choose
 * ids, so that many may share one.
 */
const maxRead = 200;

type Known = { id: string; type: string; sent_at: string };

/** `known`: the stored row of the message, if there is one. */
type Found = { n: number; known: Known | null; latest: string | null };

/** Messages that have no row yet, and contents of messages whose row has none, at the row's time. */
export type Identified = { fresh: IdentifiedMessage[]; completing: IdentifiedMessage[] };

/** Serialises writers per shard: if the lease expires mid-batch, the next holder must see our rows. */
export async function lockInbound(scope: PlatformScope, shard: number): Promise<void> {
  await scope.ask(sql`select pg_advisory_xact_lock(hashtext('prosaas.inbound'), ${shard}::integer)`);
}

/**
 * Assigns ids to messages in order of arrival, under the chats of their accounts. Skips stored messages and
 * repetitions, also under another name or at another time, unless a stored message lacks its content. WhatsApp's times
 * are whole seconds and rows are listed by id: within a second, a message gets the millisecond after the latest row of
 * its chat, and in the second's last millisecond the next sequence number. The caller holds `lockInbound` until the
 * rows are written.
 */
export async function assignInboundIds(scope: PlatformScope, inbound: readonly InboundMessage[]): Promise<Identified> {
  const messages = distinct(await withChats(scope, inbound));
  if (messages.length === 0) return { fresh: [], completing: [] };
  const found = await scope.ask<Found[]>(
    sql`select * from find_inbound(${toJson(messages.map(lookupOf))}::jsonb, ${maxRead})`,
  );
  const latest = new Map<string, string>();
  for (const { n, latest: id } of found) if (id !== null) latest.set(secondNameOf(messages[n]!), id);
  const known = new Map(found.flatMap(({ n, known: row }) => (row === null ? [] : [[n, row] as const])));
  const fresh = messages.filter((_, n) => !known.has(n)).map((message) => identify(message, latest));
  const completing = messages.flatMap((message, n) => {
    const row = known.get(n);
    return row && lacksContent(row) && !lacksContent(message)
      ? [{ ...message, id: row.id, at: new Date(row.sent_at) }]
      : [];
  });
  return { fresh, completing };
}

/** The messages without repetitions: of those with one name, the last that has content, at the first's time. */
function distinct(inbound: readonly InboundMessage[]): InboundMessage[] {
  const messages = new Map<string, InboundMessage>();
  for (const message of inbound) {
    const name = nameOf(message);
    const first = messages.get(name);
    if (first === undefined) messages.set(name, message);
    else if (!lacksContent(message)) messages.set(name, { ...message, at: first.at });
  }
  return [...messages.values()];
}

const lacksContent = ({ type }: { type: string }) => type === "unavailable" || type === "unknown";

/** The messages under the chats of their accounts: a shard may not know a name yet that another message revealed. */
async function withChats(scope: PlatformScope, inbound: readonly InboundMessage[]): Promise<InboundMessage[]> {
  if (inbound.length === 0) return [];
  const names = inbound.map(({ business_id, chat, sender }, n) => ({ n, business_id, chat, sender }));
  const renamed = await scope.ask<{ n: number; chat: string; sender: string }[]>(sql`
    select * from (
      select r.n, ${chatNamed(sql`r.business_id`, sql`r.chat`)} as chat,
             ${chatNamed(sql`r.business_id`, sql`r.sender`)} as sender, r.chat as given_chat, r.sender as given_sender
      from jsonb_to_recordset(${toJson(names)}::jsonb) as r(n integer, business_id uuid, chat text, sender text)
    ) named where chat <> given_chat or sender <> given_sender`);
  const changes = new Map(renamed.map(({ n, chat, sender }) => [n, { chat, sender }]));
  return inbound.map((message, n) => ({ ...message, ...changes.get(n) }));
}

function identify(message: InboundMessage, latest: Map<string, string>): IdentifiedMessage {
  const { business_id, chat, sender, wa_message_id, at } = message;
  const second = secondNameOf(message);
  const [ms, nth] = idTimeAfter(latest.get(second), at);
  const id = sequencedUuidv7(ms, nth, business_id, chat, sender, wa_message_id);
  latest.set(second, id);
  return { ...message, id };
}

function idTimeAfter(latest: string | undefined, at: Date): [ms: number, sequence: number] {
  if (latest === undefined) return [at.getTime(), 0];
  const last = secondOf(at) + secondMs - 1;
  const ms = Math.max(at.getTime(), uuidv7Time(latest) + 1);
  // A chat of more than five thousand messages within one second is in no order beyond them.
  return ms <= last ? [ms, 0] : [last, Math.min(uuidv7Sequence(latest) + 1, lastSequence)];
}

function lookupOf(message: InboundMessage, n: number) {
  const { business_id, chat, sender, wa_message_id } = message;
  const from = secondOf(message.at);
  return {
    n,
    business_id,
    chat,
    sender,
    wa_message_id,
    from_id: uuidv7Floor(from),
    to_id: uuidv7Floor(from + secondMs),
    earliest_id: uuidv7Floor(Math.max(0, from - sameMessageMs)),
    latest_id: uuidv7Floor(from + sameMessageMs),
  };
}

const secondOf = (at: Date) => Math.floor(at.getTime() / secondMs) * secondMs;
const nameOf = ({ business_id, chat, sender, wa_message_id }: InboundMessage) =>
  JSON.stringify([business_id, chat, sender, wa_message_id]);
const secondNameOf = ({ business_id, chat, at }: InboundMessage) => JSON.stringify([business_id, chat, secondOf(at)]);
