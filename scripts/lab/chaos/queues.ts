import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish } from "../command.ts";
import { endOnSignals } from "../rig/child.ts";
import { runChaos } from "./queues/run.ts";

const values = labCommand(
  "chaos:queues",
  `Break the workers and everything they need while customers post messages.

Kills and freezes workers at random, freezes, flushes and restarts Redis, crashes Postgres and steps
clocks by ten minutes. Then flushes Redis while messages are pending and no worker runs, and kills
the workers of a broadcast at random points. Compares every message with its phone and every webhook
delivery with its endpoint. Starts every server it needs and stops all of them. Exits 1 if anything
was lost, doubled, out of order or unaccounted for.`,
)
  .option("--messages <n>", "messages; each causes one webhook delivery", wholeNumber(), 20_000)
  .option("--rate <n>", "messages a second", wholeNumber(), 150)
  .option("--businesses <n>", "businesses", wholeNumber(), 40)
  .option("--recipients <n>", "recipients of the broadcast", wholeNumber(), 5000)
  .option("--kills <n>", "kills of the broadcast's workers", wholeNumber(), 10)
  .option("--folder <path>", "keep the logs in this folder")
  .parse()
  .opts();

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
  await publish("chaos:queues", values, result);
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
