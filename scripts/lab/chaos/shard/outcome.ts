import { connectAsOwner } from "../../../../lib/db/client/owner.ts";
import type { OwnerConnection } from "../../../../lib/db/client/owner.ts";
import { until } from "../../../../lib/testing/until.ts";
import { addComparisons, compareChat, nothingCompared } from "../../rig/comparison.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { refusals } from "./faults.ts";
import type { Stage } from "./stage.ts";
import type { Traffic } from "./traffic.ts";

export type Outcome = {
  sent: Comparison;
  received: Comparison;
  /** Sent by us, refused by WhatsApp as it was told to, failed in Postgres, and shown by nobody. */
  refused: number;
  /** Failed in Postgres as though they had been refused: more of them than WhatsApp refused. */
  givenUp: number;
  /** Messages that a phone could not decrypt at first, and that came twice under one id, which a phone shows once. */
  undecryptable: number;
  repeated: number;
};

type Row = { id: string; chat: string; text: string; status: string; error_code: string | null };

/** Waits until nothing is under way any more, and compares what each end has with what the other wrote. */
export async function outcomeOf(stage: Stage, traffic: Traffic): Promise<Outcome> {
  const owner = connectAsOwner({ url: stage.postgres.ownerUrl, applicationName: "chaos" });
  try {
    await settled(stage, owner, traffic);
    const outbound = new Map((await rowsOf(owner, "outbound")).map((row) => [row.id, row]));
    const inbound = Map.groupBy(await rowsOf(owner, "inbound"), ({ chat }) => chat.slice(0, chat.indexOf("@")));

    const outcome: Outcome = {
      sent: nothingCompared,
      received: nothingCompared,
      refused: 0,
      givenUp: 0,
      undecryptable: 0,
      repeated: 0,
    };
    for (const [contact, submitted] of traffic.submitted) {
      const refused = submitted.filter(({ id }) => refusals.has(outbound.get(id)?.error_code ?? ""));
      const expected = submitted.filter((message) => !refused.includes(message)).map(({ text }) => text);
      const screen = await stage.simulator.screen(contact);
      const shown = screen.data.filter(({ from_me }) => !from_me).map(({ text }) => text ?? "");
      const compared = compareChat(expected, shown);
      outcome.sent = addComparisons(outcome.sent, compared);
      if (compared.disordered > 0) tellDisorder(`on the phone of ${contact}`, expected, shown);
      const seen = new Set(shown);
      for (const { id, text } of submitted) {
        const row = outbound.get(id);
        if (!seen.has(text) && !refused.some((message) => message.id === id)) {
          process.stderr.write(`lost: message ${id} to ${contact}, ${row?.status} ${row?.error_code ?? ""}\n`);
        }
      }
      outcome.refused += refused.length;
      outcome.undecryptable += screen.undecryptable;
      outcome.repeated += screen.duplicates;
    }
    const stats = await stage.simulator.stats();
    outcome.givenUp = Math.max(0, outcome.refused - stats["messages_refused"]! - stats["accounts_denied"]!);
    for (const contact of new Set([...traffic.written.keys(), ...inbound.keys()])) {
      const texts = inbound.get(contact)?.map(({ text }) => text) ?? [];
      const written = traffic.written.get(contact) ?? [];
      const compared = compareChat(written, texts);
      outcome.received = addComparisons(outcome.received, compared);
      if (compared.disordered > 0) tellDisorder(`in Postgres, from ${contact}`, written, texts);
    }
    return outcome;
  } finally {
    await owner.end();
  }
}

/** Where the order of a chat begins to differ. */
function tellDisorder(where: string, expected: readonly string[], arrived: readonly string[]): void {
  const at = expected.findIndex((text, n) => arrived[n] !== text);
  const around = (texts: readonly string[]) => texts.slice(Math.max(0, at - 1), at + 6).join(" · ");
  process.stderr.write(`out of order ${where}:\n  written ${around(expected)}\n  arrived ${around(arrived)}\n`);
}

async function settled({ shard, simulator }: Stage, owner: OwnerConnection, { written }: Traffic): Promise<void> {
  const expected = [...written.values()].reduce((sum, texts) => sum + texts.length, 0);
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
  if (arrived < expected)
    process.stderr.write(`Postgres has ${arrived} of ${expected} messages that were written to us\n`);
}

async function rowsOf(owner: OwnerConnection, direction: string): Promise<Row[]> {
  return owner<
    Row[]
  >`select id, chat, text, status, error_code from messages where direction = ${direction} order by id`;
}
