import { until } from "../../../../lib/testing/until.ts";
import { quantile } from "../../../cli/operator/table.ts";
import { ChatLog, contactOf, ReceivedLog, screenTexts } from "../../rig/chat_log.ts";
import { compareChats } from "../../rig/comparison.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { runLoad } from "../../rig/load.ts";
import { deliver, textTo } from "../../rig/batch_sender.ts";
import { readJournal } from "../../rig/journal_reader.ts";
import type { Business } from "../../rig/pairing.ts";
import { pairAll } from "../../rig/pairing.ts";
import { startShardRig } from "../../rig/shard_rig.ts";
import { settled } from "../../rig/settled.ts";
import { textOf } from "../../rig/text.ts";

export type SoakPlan = {
  businesses: Business[];
  minutes: number;
  /** Messages a minute, as many out as in. */
  rate: number;
  folder: string;
  say: (line: string) => void;
};

export type SoakResult = {
  /** Resident memory of the shard when the first message is sent, and then the median of each minute, MB. */
  rssMb: number[];
  /** The highest sample. */
  rssMaxMb: number;
  sent: Comparison;
  received: Comparison;
};

const sampleMs = 1_000;

/** Runs a shard at a steady rate of single messages; shows what grows and what gets lost. */
export async function soak({ businesses, minutes, rate, folder, say }: SoakPlan): Promise<SoakResult> {
  const rig = await startShardRig({ folder });
  const { simulator } = rig;
  const shard = rig.shards[0]!;
  try {
    shard.start();
    await shard.ready();
    await pairAll(shard, simulator, businesses);
    say(`${businesses.length} paired; ${rate} messages a minute each way for ${minutes} minutes`);
    const [sent, written, received] = [new ChatLog(), new ChatLog(), new ReceivedLog()];
    const readers = [
      readJournal(shard, "inbound", (entries) => {
        for (const { data } of entries) received.add(contactOf(data.chat), data.wa_message_id, data.text ?? "");
      }),
      readJournal(shard, "receipts", () => {}),
      readJournal(shard, "events", () => {}),
    ];
    const rssMb = [shard.usage().rssMb];
    // It rises and falls with each garbage collection.
    const samples: number[] = [];
    let rssMaxMb = 0;
    const sampler = setInterval(() => samples.push(shard.usage().rssMb), sampleMs).unref();

    const jobsAt = (n: number) => {
      if (n > 0 && n % rate === 0) recordMinute(n);
      const { id, phone, contacts } = businesses[n % businesses.length]!;
      const contact = contacts[Math.floor(n / businesses.length) % contacts.length]!;
      const [out, back] = [textOf("out", phone, n), textOf("in", phone, n)];
      sent.add(contact, out);
      const send = async () => {
        const { failed } = await deliver(shard, [{ business: id, messages: [textTo(contact, out)] }], 1);
        if (failed.length > 0) throw new Error(`a message was refused with ${failed[0]!.code}`);
      };
      const write = async () => {
        written.add(contact, back);
        await simulator.write(contact, phone, back);
      };
      return [
        { lane: `out ${id}`, run: send },
        { lane: `in ${id}`, run: write },
      ];
    };
    const recordMinute = (n: number) => {
      rssMaxMb = Math.max(rssMaxMb, ...samples);
      rssMb.push(quantile(samples.splice(0), 0.5));
      say(`minute ${n / rate}: ${rssMb.at(-1)!.toFixed(1)} MB, ${n} each way`);
    };
    await runLoad({ perSecond: rate / 60, jobsAt }, rate * minutes);
    recordMinute(rate * minutes);
    clearInterval(sampler);
    await settled(simulator);
    await until(() => received.count >= written.count, { deadlineMs: 60_000, what: "every inbound message" });
    await Promise.all(readers.map((reader) => reader.stop()));
    const shown = await screenTexts(simulator, sent.chats.keys());
    return {
      rssMb,
      rssMaxMb,
      sent: compareChats(sent.chats, shown),
      received: compareChats(written.chats, received.chats),
    };
  } finally {
    await rig.stop();
  }
}
