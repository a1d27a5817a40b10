import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRun } from "../../cli/operator/command_line.ts";
import { endOnSignals } from "../rig/child.ts";
import { makeBusinesses } from "../rig/pairing.ts";
import { soak } from "./shard/soak.ts";

const usage = `Usage: task bench:soak [-- --minutes M] [-- --json]

A shard at a steady rate for long: single messages out and as many in, each a while after the other, as people write.
Says the shard's memory every minute, and at the end compares every message by content at both ends. Starts everything
it needs and leaves nothing running.

  --json        one JSON object as the last line
  --minutes M   (60)
  --rate R      messages a minute out, and as many in (1000)
  --sessions N  logins (50)
  --contacts K  people that each login writes with (4)`;

const { json, minutes, rate, sessions, contacts } = readRun(usage, {
  minutes: 60,
  rate: 1000,
  sessions: 50,
  contacts: 4,
});

/** By then code is compiled and caches are as full as they get. */
const warmMinutes = 5;

const folder = await mkdtemp(join(tmpdir(), "prosaas-soak-"));
endOnSignals();
const say = (line: string) => void process.stderr.write(`${line}\n`);
try {
  const { rssMb, rssMaxMb, sent, received } = await soak({
    businesses: makeBusinesses(sessions, contacts),
    minutes,
    rate,
    folder,
    say,
  });
  const rounded = (value: number) => Number(value.toFixed(1));
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
    rss_mb_start: rounded(start),
    rss_mb_5_min: rounded(warm),
    rss_mb_end: rounded(end),
    rss_mb_max: rounded(rssMaxMb),
  };
  console.log(json ? JSON.stringify(result) : JSON.stringify(result, null, 2));
} finally {
  await rm(folder, { recursive: true, force: true });
}
