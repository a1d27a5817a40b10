import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRun } from "../../cli/operator/command_line.ts";
import { endOnSignals } from "../rig/child.ts";
import { runChaos } from "./queues/run.ts";

const usage = `Usage: task chaos:queues [-- --json] [-- OPTIONS]

Customers post messages while workers are killed and frozen at random, Redis is frozen, flushed and restarted empty,
Postgres crashes and clocks step by ten minutes; then Redis forgets everything while messages wait and no worker runs;
then the workers of a broadcast are killed at random places of it. In the end every message is looked for on the phone
of who it was for, and every delivery of a webhook at its endpoint. Starts everything it needs and leaves nothing
running. Exits 1 where anything was lost, doubled, out of order or left over.

  --json           one JSON object as the last line
  --messages N     each makes one delivery of a webhook too (20000)
  --rate N         messages a second (150)
  --businesses N   (40)
  --recipients N   of the broadcast (5000)
  --kills N        of its workers (10)
  --folder F       keep logs there`;

const values = readRun(
  usage,
  { messages: 20_000, rate: 150, businesses: 40, recipients: 5000, kills: 10 },
  { folder: { type: "string" } },
);

endOnSignals();
const folder = values.folder ?? (await mkdtemp(join(tmpdir(), "prosaas-chaos-")));
const all = values.messages;
const pending = Math.floor(all / 10);
try {
  const result = await runChaos({
    folder,
    businesses: values.businesses,
    messages: all - pending,
    rate: values.rate,
    pending,
    campaign: { recipients: values.recipients, kills: values.kills, perMinute: 60_000 },
    say: (line) => void process.stderr.write(`${line}\n`),
  });
  console.log(values.json ? JSON.stringify(result) : JSON.stringify(result, null, 2));
  const faults = [
    result.lost,
    result.duplicates,
    result.disordered_chats,
    result.deliveries_unaccounted,
    result.pending_after_flush_unsent,
    result.broadcast_lost,
    result.broadcast_duplicates,
  ];
  process.exitCode = faults.some((count) => count !== 0) ? 1 : 0;
} finally {
  if (values.folder === undefined) await rm(folder, { recursive: true, force: true });
}
