import { sequencedUuidv7, uuidv7Floor, uuidv7Sequence, uuidv7Time } from "../../core/ids.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";
import type { InboundMessage } from "./insert_inbound.ts";

/** A message with the id that its row gets. */
export type IdentifiedMessage = InboundMessage & { id: string };

const secondMs = 1000;
const lastSequence = 0xfff;

type Found = { n: number; known: boolean; latest: string | null };

/** Serialises writers per shard: if the lease expires mid-batch, the next holder must see our rows. */
export async function lockInbound(scope: PlatformScope, shard: number): Promise<void> {
  await scope.ask(sql`select pg_advisory_xact_lock(hashtext('prosaas.inbound'), ${shard}::integer)`);
}

/**
 * Assigns ids to messages in order of arrival; skips stored messages and repetitions. WhatsApp's times are whole
 * seconds and rows are listed by id: within a second, a message gets the millisecond after the latest row of its chat,
 * and in the second's last millisecond the next sequence number. The caller holds `lockInbound` until the rows are
 * written.
 */
export async function assignInboundIds(
  scope: PlatformScope,
  inbound: readonly InboundMessage[],
): Promise<IdentifiedMessage[]> {
  const messages = [...new Map(inbound.map((message) => [nameOf(message), message])).values()];
  if (messages.length === 0) return [];
  const found = await scope.ask<Found[]>(sql`
    select r.n,
           exists (
             select from messages known
             where known.business_id = r.business_id and known.wa_message_id = r.wa_message_id
               and known.chat = r.chat and known.sender = r.sender
               and known.id >= r.from_id and known.id < r.to_id
           ) as known,
           (select m.id from messages m
            where m.business_id = r.business_id and m.chat = r.chat and m.id >= r.from_id and m.id < r.to_id
            order by m.id desc limit 1) as latest
    from jsonb_to_recordset(${toJson(messages.map(lookupOf))}::jsonb)
      as r(n integer, business_id uuid, chat text, sender text, wa_message_id text, from_id uuid, to_id uuid)`);
  const latest = new Map<string, string>();
  for (const { n, latest: id } of found) if (id !== null) latest.set(secondNameOf(messages[n]!), id);
  const known = new Set(found.filter((row) => row.known).map(({ n }) => n));
  return messages.filter((_, n) => !known.has(n)).map((message) => identify(message, latest));
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
  };
}

const secondOf = (at: Date) => Math.floor(at.getTime() / secondMs) * secondMs;
const nameOf = ({ business_id, chat, sender, wa_message_id }: InboundMessage) =>
  JSON.stringify([business_id, chat, sender, wa_message_id]);
const secondNameOf = ({ business_id, chat, at }: InboundMessage) => JSON.stringify([business_id, chat, secondOf(at)]);
