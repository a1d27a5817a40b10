import type { OwnerConnection } from "../../../../lib/db/client/owner.ts";
import { until } from "../../../../lib/testing/until.ts";
import { contactOf, countTexts, ReceivedLog, screenTexts } from "../../rig/chat_log.ts";
import { compareChats } from "../../rig/comparison.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { refusals } from "./faults.ts";
import type { SideOutcome } from "./side_traffic.ts";
import type { Stage } from "./stage.ts";
import type { Traffic } from "./traffic.ts";

export type Outcome = SideOutcome & {
  sent: Comparison;
  received: Comparison;
  /** Sent by a business, refused by an injected fault, failed in Postgres and shown on no phone. */
  refused: number;
  /** Failed in Postgres as refused, beyond those that the simulator refused. */
  givenUp: number;
  /** Messages that a phone could not decrypt at first. */
  undecryptable: number;
  /** Messages that arrived twice under one id, which a phone shows once. */
  repeated: number;
};

type Row = { id: string; chat: string; text: string; status: string; error_code: string | null };

/** Waits until no message is in flight and compares both ends. */
export async function outcomeOf(stage: Stage, traffic: Traffic): Promise<Outcome> {
  const { owner, simulator } = stage;
  await settled(stage, traffic);
  const side = await traffic.side.outcome(owner);
  const outbound = new Map((await rowsOf(owner, "outbound")).map((row) => [row.id, row]));
  const inbound = new ReceivedLog();
  for (const { id, chat, text } of await rowsOf(owner, "inbound")) {
    if (!traffic.side.isAd(text)) inbound.add(contactOf(chat), id, text);
  }

  const isRefused = (text: string) =>
    refusals.has(outbound.get(traffic.submitted.get(text)?.id ?? "")?.error_code ?? "");
  const expected = new Map(
    [...traffic.sent.chats].map(([contact, texts]) => [contact, texts.filter((text) => !isRefused(text))]),
  );
  const refused = traffic.sent.count - countTexts(expected);
  const shown = await screenTexts(simulator, traffic.sent.chats.keys());
  for (const [contact, texts] of expected) {
    const seen = new Set(shown.get(contact));
    for (const text of texts.filter((one) => !seen.has(one))) reportLost(text, traffic, outbound);
  }
  const screens = await Promise.all([...expected.keys()].map((contact) => simulator.screen(contact)));
  const stats = await simulator.stats();
  return {
    ...side,
    sent: compareChats(expected, shown, (contact, ...chats) => reportDisorder(`on the phone of ${contact}`, ...chats)),
    received: compareChats(traffic.written.chats, inbound.chats, (contact, ...chats) =>
      reportDisorder(`in Postgres, from ${contact}`, ...chats),
    ),
    refused,
    givenUp: Math.max(0, refused - stats["messages_refused"]! - stats["accounts_denied"]!),
    undecryptable: screens.reduce((sum, { undecryptable }) => sum + undecryptable, 0),
    repeated: screens.reduce((sum, { duplicates }) => sum + duplicates, 0),
  };
}

function reportLost(text: string, { submitted }: Traffic, outbound: ReadonlyMap<string, Row>): void {
  const { id, contact } = submitted.get(text)!;
  const row = outbound.get(id);
  process.stderr.write(`lost: message ${id} to ${contact}, ${row?.status} ${row?.error_code ?? ""}\n`);
}

/** Prints where the order of a chat starts to differ. */
function reportDisorder(where: string, expected: readonly string[], arrived: readonly string[]): void {
  const at = expected.findIndex((text, n) => arrived[n] !== text);
  const around = (texts: readonly string[]) => texts.slice(Math.max(0, at - 1), at + 6).join(" · ");
  process.stderr.write(`out of order ${where}:\n  written ${around(expected)}\n  arrived ${around(arrived)}\n`);
}

async function settled({ shard, simulator, owner }: Stage, { written }: Traffic): Promise<void> {
  const expected = written.count;
  const wait = (what: string, condition: () => Promise<boolean>) =>
    until(condition, { what, deadlineMs: 180_000, everyMs: 250 });
  const count = async (where: string) =>
    Number((await owner.unsafe(`select count(*) from messages where ${where}`))[0]!["count"]);
  await wait("the outbox to be empty", async () => (await count("status = 'queued'")) === 0);
  await wait("WhatsApp's mailboxes to be empty", async () => (await simulator.stats())["mail"] === 0);
  await wait("the journal to be empty", async () => {
    const pages = await Promise.all(
      (["inbound", "receipts"] as const).map((stream) => shard.client.readJournal(shard.location, stream)),
    );
    return pages.every(({ through }) => through === null);
  });
  const arrived = await count("direction = 'inbound'");
  if (arrived < expected) process.stderr.write(`Postgres has ${arrived} of ${expected} messages that contacts wrote\n`);
}

async function rowsOf(owner: OwnerConnection, direction: string): Promise<Row[]> {
  return owner<
    Row[]
  >`select id, chat, text, status, error_code from messages where direction = ${direction} order by id`;
}
