import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { endOnSignals } from "../rig/child.ts";
import { makeBusinesses } from "../rig/pairing.ts";
import { soak } from "./shard/soak.ts";

const values = labCommand(
  "bench:soak",
  `Run a shard at a steady rate and watch its memory.

Single messages go out and come in at the same rate. Logs the shard's memory every minute and
compares every message at both ends. Starts every server it needs and stops all of them.`,
)
  .option("--minutes <n>", "length of the run", wholeNumber(), 60)
  .option("--rate <n>", "messages a minute in each direction", wholeNumber(), 1000)
  .option("--sessions <n>", "WhatsApp sessions", wholeNumber(), 50)
  .option("--contacts <n>", "contacts of each session", wholeNumber(), 4)
  .parse()
  .opts();
const { minutes, rate, sessions, contacts } = values;

/** By then code is compiled and caches are as full as they get. */
const warmMinutes = 5;

const folder = await mkdtemp(join(tmpdir(), "prosaas-soak-"));
endOnSignals();
try {
  const { rssMb, rssMaxMb, sent, received } = await soak({
    businesses: makeBusinesses(sessions, contacts),
    minutes,
    rate,
    folder,
    say,
  });
  const [start, end] = [rssMb[0]!, rssMb.at(-1)!];
  const warm = rssMb[Math.min(warmMinutes, rssMb.length - 1)]!;
  const result = {
    sessions,
    minutes,
    messages_per_minute: rate,
    sent: sent.sent,
    received: received.sent,
    lost: sent.lost + received.lost,
    duplicates: sent.duplicates + received.duplicates,
    disordered_chats: sent.disordered + received.disordered,
    rss_mb_start: rounded(start, 1),
    rss_mb_5_min: rounded(warm, 1),
    rss_mb_end: rounded(end, 1),
    rss_mb_max: rounded(rssMaxMb, 1),
  };
  await publish("bench:soak", values, result);
} finally {
  await rm(folder, { recursive: true, force: true });
}
