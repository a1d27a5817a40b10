import { until } from "../../../../lib/testing/until.ts";
import { quantile } from "../../../cli/operator/table.ts";
import { Books } from "../../rig/chat_log.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { deliver } from "../../rig/courier.ts";
import { readJournal } from "../../rig/journal_reader.ts";
import type { Business } from "../../rig/pairing.ts";
import { pairAll } from "../../rig/pairing.ts";
import { startRig } from "../../rig/rig.ts";
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
  /** The most it ever was. */
  rssMaxMb: number;
  sent: Comparison;
  received: Comparison;
};

const sampleMs = 1_000;

/** A shard at a steady rate for long, with single messages as people write them: what grows, and what gets lost on the way. */
export async function soak({ businesses, minutes, rate, folder, say }: SoakPlan): Promise<SoakResult> {
  const rig = await startRig(folder);
  const { shard, simulator } = rig;
  try {
    shard.start();
    await shard.ready();
    await pairAll(shard, simulator, businesses);
    say(`${businesses.length} paired; ${rate} messages a minute each way for ${minutes} minutes`);
    const books = new Books();
    const readers = [
      readJournal(shard, "inbound", (entries) => books.receive(entries)),
      readJournal(shard, "receipts", () => {}),
      readJournal(shard, "events", () => {}),
    ];

    // One after the other in each direction of a business, whatever that does to the rate.
    const tails = new Map<string, Promise<unknown>>();
    let failure: unknown;
    const after = (key: string, work: () => Promise<unknown>) => {
      const tail = (tails.get(key) ?? Promise.resolve()).then(work);
      tail.catch((error: unknown) => (failure ??= error));
      tails.set(key, tail);
    };
    const rssMb = [shard.usage().rssMb];
    // It rises and falls with each garbage collection.
    const samples: number[] = [];
    let rssMaxMb = 0;
    const sampler = setInterval(() => samples.push(shard.usage().rssMb), sampleMs).unref();
    const began = performance.now();
    const total = Math.round(rate * minutes);
    for (let n = 0; n < total; n++) {
      const early = began + (n / rate) * 60_000 - performance.now();
      if (early > 1) await Bun.sleep(early);
      if (failure !== undefined) throw failure as Error;
      const business = businesses[n % businesses.length]!;
      const { id, phone, contacts } = business;
      const contact = contacts[Math.floor(n / businesses.length) % contacts.length]!;
      const message = books.send(contact, textOf("out", phone, n));
      after(`out ${id}`, async () => {
        const { failed } = await deliver(shard, [{ business: id, messages: [message] }], 1);
        if (failed.length > 0) throw new Error(`a message was refused with ${failed[0]!.code}`);
      });
      after(`in ${id}`, () => books.write(simulator, contact, business, textOf("in", phone, n)));
      if ((n + 1) % rate !== 0) continue;
      rssMaxMb = Math.max(rssMaxMb, ...samples);
      rssMb.push(quantile(samples.splice(0), 0.5));
      say(`minute ${(n + 1) / rate}: ${rssMb.at(-1)!.toFixed(1)} MB, ${n + 1} each way`);
    }
    clearInterval(sampler);
    await Promise.all(tails.values());
    await settled(simulator);
    await until(() => books.received >= books.written, { deadlineMs: 60_000, what: "all that was written to be read" });
    await Promise.all(readers.map((reader) => reader.stop()));
    return { rssMb, rssMaxMb, sent: await books.compareSent(simulator), received: books.compareReceived() };
  } finally {
    await rig.stop();
  }
}
