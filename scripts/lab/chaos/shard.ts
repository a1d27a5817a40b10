import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish } from "../command.ts";
import { endOnSignals } from "../rig/child.ts";
import { chaos } from "./shard/chaos.ts";
import { steps } from "./shard/steps.ts";

const command = labCommand(
  "chaos:shard",
  `Break a shard and everything around it while businesses and their contacts write to each other.

Messages pass Postgres, a worker, the shard and the simulator. The shard is killed in the middle of
a batch, of a pairing and of a write to its key store; connections drop in storms; Redis, Postgres
and Consul stop; the disk fills up; the simulator raises all its faults. Compares every message by
content and order at both ends. Starts every server it needs and stops all of them. Needs root, to
mount a small disk. Exits 1 if anything was lost, doubled or out of order, or a login was lost.`,
)
  .option("--messages <n>", "least messages in each direction", wholeNumber(), 20_000)
  .option("--rate <n>", "messages a second in each direction", wholeNumber(), 80)
  .option("--sessions <n>", "businesses", wholeNumber(), 20)
  .option("--contacts <n>", "contacts of each business", wholeNumber(), 5)
  .option("--outage <seconds>", "length of each outage", wholeNumber(), 30)
  .option("--only <pattern>", "run the steps whose name matches this regular expression", "")
  .option("--rounds <n>", "repetitions of all steps", wholeNumber(), 1)
  .option("--keep", "keep the folder with the logs", false);
const values = command.parse().opts();
const chosen = steps.filter(({ name }) => new RegExp(values.only).test(name));
if (chosen.length === 0)
  command.error(`error: no step matches ${values.only}: ${steps.map(({ name }) => name).join(", ")}`);

const folder = await mkdtemp(join(tmpdir(), "prosaas-chaos-"));
// PostgreSQL refuses to run as root, and its user must be able to reach its files.
await chmod(folder, 0o755);
const began = performance.now();
endOnSignals();
const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
try {
  const { sent, received, ...more } = await chaos({
    steps: Array.from({ length: values.rounds }, () => chosen).flat(),
    businesses: values.sessions,
    contacts: values.contacts,
    perSecond: values.rate,
    messages: values.messages,
    seconds: 2,
    outageS: values.outage,
    folder,
    say,
  });
  const result = {
    seconds: Math.round((performance.now() - began) / 1000),
    sent: sent.sent,
    received: received.sent,
    lost: sent.lost + received.lost + more.givenUp,
    duplicates: sent.duplicates + received.duplicates,
    foreign: sent.foreign + received.foreign,
    disordered_chats: sent.disordered + received.disordered,
    new_qr: more.relinked,
    ads_received: more.adsReceived,
    ads_lost: more.adsLost,
    statuses_stored: more.statusesStored,
    deaths: more.deaths,
    refused_as_told: more.refused,
    undecryptable_at_first: more.undecryptable,
    repeated_under_one_id: more.repeated,
    slowest_recovery_s: Number(more.slowestRecoveryS.toFixed(1)),
  };
  await publish("chaos:shard", values, result);
  const { lost, duplicates, foreign, disordered_chats, new_qr, ads_lost, statuses_stored } = result;
  if (lost + duplicates + foreign + disordered_chats + new_qr + ads_lost + statuses_stored > 0) process.exitCode = 1;
} finally {
  if (!values.keep) await rm(folder, { recursive: true, force: true });
}
