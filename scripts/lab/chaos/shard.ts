import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRun, wrongArguments } from "../../cli/operator/command_line.ts";
import { endOnSignals } from "../rig/child.ts";
import { chaos } from "./shard/chaos.ts";
import { ordeals } from "./shard/ordeals.ts";

const usage = `Usage: task chaos:shard [-- --json] [-- --messages N]

Businesses and their contacts write to each other through Postgres, a worker, a shard and the simulator, while everything
goes wrong: the shard is killed in mid-batch, in a pairing and in the middle of a \`set\`; connections are cut in storms;
Redis, Postgres and Consul are away; the disk is full; the simulator does all that it can do. At the end every message is
compared by content and order at both ends. Starts everything it needs and leaves nothing running. Needs root, for a disk
that can be full. Exits 1 where anything was lost, doubled or out of order, or a login was lost.

  --json          one JSON object as the last line
  --messages N    messages each way, at the least (20000)
  --rate R        messages a second each way (80)
  --sessions S    businesses (20)
  --contacts K    people that each of them writes with (5)
  --outage T      seconds that each server is away (30)
  --only PATTERN  only what has this regular expression in its name
  --rounds N      go through it so many times (1)
  --keep          keep the folder with the logs`;

const values = readRun(
  usage,
  { messages: 20_000, rate: 80, sessions: 20, contacts: 5, outage: 30, rounds: 1 },
  { only: { type: "string", default: "" }, keep: { type: "boolean", default: false } },
);
const chosen = ordeals.filter(({ name }) => new RegExp(values.only).test(name));
if (chosen.length === 0)
  wrongArguments(`--only ${values.only} fits no name: ${ordeals.map(({ name }) => name).join(", ")}`, usage);

const folder = await mkdtemp(join(tmpdir(), "prosaas-chaos-"));
// PostgreSQL refuses to run as root, and its user must be able to reach its files.
await chmod(folder, 0o755);
const began = performance.now();
endOnSignals();
const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
try {
  const { sent, received, ...more } = await chaos({
    ordeals: Array.from({ length: values.rounds }, () => chosen).flat(),
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
    deaths: more.deaths,
    refused_as_told: more.refused,
    undecryptable_at_first: more.undecryptable,
    repeated_under_one_id: more.repeated,
    slowest_recovery_s: Number(more.slowestRecoveryS.toFixed(1)),
  };
  console.log(values.json ? JSON.stringify(result) : JSON.stringify(result, null, 2));
  const { lost, duplicates, foreign, disordered_chats, new_qr } = result;
  if (lost + duplicates + foreign + disordered_chats + new_qr > 0) process.exitCode = 1;
} finally {
  if (!values.keep) await rm(folder, { recursive: true, force: true });
}
