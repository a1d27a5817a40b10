import { contactOf, countTexts, ReceivedLog, screenTexts } from "../../rig/chat_log.ts";
import { compareChats } from "../../rig/comparison.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { readBothSides } from "./both_sides.ts";
import type { BothSides } from "./both_sides.ts";
import { countsOf, inventedRows } from "./counts.ts";
import type { Counts } from "./counts.ts";
import type { Logins } from "./logins.ts";
import { needlessLogins } from "./needless_logins.ts";
import type { Interval } from "./needless_logins.ts";
import type { PostgresSide } from "./postgres_side.ts";
import { settled } from "./settled.ts";
import type { Claimed } from "./side_traffic.ts";
import type { Stage } from "./stage.ts";
import type { Traffic } from "./traffic.ts";

export type Outcome = Counts & {
  sent: Comparison;
  received: Comparison;
  /** Sent by a business, refused with a final code by an injected fault, and shown on no phone. */
  refused: number;
  /** Messages that a phone could not decrypt at first. */
  undecryptable: number;
  /** Messages that arrived twice under one id, which a phone shows once. */
  repeated: number;
  needlessLogins: number;
  /** How often each scenario happened. */
  happened: Record<string, number>;
  /** Differences between both sides, each with its scenario. */
  faults: string[];
};

/** Until the phone has resent the last ad, which is requested after logins too, and a message without content shows. */
const sideDeadlineMs = 180_000;
const everyMs = 3_000;
/** Faults that a run prints. */
const printed = 50;

/** Waits until no message is in flight and compares both ends. */
export async function outcomeOf(
  stage: Stage,
  traffic: Traffic,
  { logins, outages }: { logins: Logins; outages: readonly Interval[] },
): Promise<Outcome> {
  const { simulator } = stage;
  await settled(stage);
  await traffic.side.finish(async () => {
    await settled(stage);
    return readBothSides(stage);
  });
  await settled(stage);
  const phones = new Map(logins.all.map(({ phone, id }) => [phone, id]));
  const sides = await agreed(stage, traffic, phones);
  const faults = await traffic.side.faults(sides);
  for (const fault of faults.slice(0, printed)) process.stderr.write(`${fault}\n`);
  for (const row of inventedRows(sides.postgres, traffic.side.register).slice(0, printed))
    process.stderr.write(
      `without a writer: ${row.wa_message_id} in ${row.chat}: ${row.type} ${row.content?.reason ?? ""}\n`,
    );
  const needless = needlessLogins(
    [...sides.whatsapp.all("login"), ...sides.whatsapp.all("ended")].toSorted((a, b) => a.seq - b.seq),
    { deaths: stage.shard.deaths, outages },
  );
  for (const { phone, at } of needless.slice(0, printed))
    process.stderr.write(`needless login of ${phone} at ${new Date(at).toISOString()}\n`);
  return {
    ...countsOf(sides, phones, traffic.side.register),
    ...(await mainTraffic(stage, traffic, sides)),
    ...(await phonesOf(simulator, traffic)),
    needlessLogins: needless.length,
    happened: traffic.side.happened(sides),
    faults,
  };
}

/** Reads both sides until they agree, or until the deadline. */
async function agreed(stage: Stage, { side }: Traffic, phones: ReadonlyMap<string, string>): Promise<BothSides> {
  const end = performance.now() + sideDeadlineMs;
  let unmet: Claimed[] | undefined;
  for (;;) {
    const sides = await readBothSides(stage);
    unmet = await side.unmet(sides, unmet);
    const { adsLost, splitChats } = countsOf(sides, phones, side.register);
    if (unmet.length + adsLost + splitChats === 0 || performance.now() > end) return sides;
    await Bun.sleep(everyMs);
  }
}

async function mainTraffic({ simulator }: Stage, traffic: Traffic, { whatsapp, postgres }: BothSides) {
  const inbound = new ReceivedLog();
  for (const { id, chat, text, direction } of postgres.rows) {
    const contact = contactOf(chat);
    if (direction === "inbound" && traffic.written.chats.has(contact)) inbound.add(contact, id, text ?? "");
  }
  const isRefused = (text: string): boolean => {
    const { waId, chat, business } = traffic.submitted.get(text)!;
    return whatsapp.finallyRefused({ waId, chat, error: postgres.named(business.id, waId)[0]?.error_code ?? null });
  };
  const expected = new Map(
    [...traffic.sent.chats].map(([contact, texts]) => [contact, texts.filter((text) => !isRefused(text))]),
  );
  const shown = await screenTexts(simulator, traffic.sent.chats.keys());
  for (const [contact, texts] of expected) {
    const seen = new Set(shown.get(contact));
    for (const text of texts.filter((one) => !seen.has(one))) reportLost(text, traffic, postgres);
  }
  return {
    sent: compareChats(expected, shown, (contact, ...chats) => reportDisorder(`on the phone of ${contact}`, ...chats)),
    received: compareChats(traffic.written.chats, inbound.chats, (contact, ...chats) =>
      reportDisorder(`in Postgres, from ${contact}`, ...chats),
    ),
    refused: traffic.sent.count - countTexts(expected),
  };
}

async function phonesOf(simulator: Stage["simulator"], traffic: Traffic) {
  const screens = await Promise.all([...traffic.sent.chats.keys()].map((contact) => simulator.screen(contact)));
  return {
    undecryptable: screens.reduce((sum, { undecryptable }) => sum + undecryptable, 0),
    repeated: screens.reduce((sum, { duplicates }) => sum + duplicates, 0),
  };
}

function reportLost(text: string, { submitted }: Traffic, postgres: PostgresSide): void {
  const { waId, contact, business } = submitted.get(text)!;
  const [row] = postgres.named(business.id, waId);
  process.stderr.write(`lost: message ${waId} to ${contact}, ${row?.status} ${row?.error_code ?? ""}\n`);
}

/** Prints where the order of a chat starts to differ. */
function reportDisorder(where: string, expected: readonly string[], arrived: readonly string[]): void {
  const at = expected.findIndex((text, n) => arrived[n] !== text);
  const around = (texts: readonly string[]) => texts.slice(Math.max(0, at - 1), at + 6).join(" · ");
  process.stderr.write(`out of order ${where}:\n  written ${around(expected)}\n  arrived ${around(arrived)}\n`);
}
