import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { endOnSignals } from "../rig/child.ts";
import { kinds, planOf } from "./hostile/kinds.ts";
import { runHostile } from "./hostile/run.ts";

const command = labCommand(
  "fuzz:hostile",
  `Attack the whole platform while another tenant uses it.

Sends everything that a stranger on WhatsApp, a tenant, the voice carrier and a visitor can send,
one kind of attack after the other, and fills Redis once. The other tenant sends a message a second
and holds a call. Starts every server it needs on loopback and stops all of them. As root, each
process gets the CPU share of its job file, and the attackers what the platform leaves.

Exits 1 and names the kind of attack if a bound is broken: a process died or exceeded the memory of
its job file; an event loop was blocked for more than 250 ms; more than 64 MB lay on disk; a request
was answered 500, answered late or accepted wrongly; the other tenant's message failed, its call
went silent, or its p99 rose above 5 times its quiet p99 (from when a message is due until
WhatsApp's acknowledgement, except while Redis is full).`,
)
  .option("--attacks <n>", "attacks over all kinds", wholeNumber(), 7_000)
  .option("--seed <n>", "repeat the attacks of this seed (default: random)", wholeNumber())
  .option("--only <prefix>", "run the kinds whose name starts with this text")
  .option("--quiet <seconds>", "measure the other tenant alone first", wholeNumber(), 30)
  .option("--list", "list the kinds", false)
  .option("--folder <path>", "keep the logs in this folder");
const values = command.parse().opts();
const { seed = 1 + (Date.now() % 1_000_000), only } = values;

if (values.list) {
  for (const { name, from, count } of kinds) console.log(`${name.padEnd(40)} ${from.padEnd(9)} ${count}`);
  process.exit(0);
}
const chosen = kinds.filter(({ name }) => only === undefined || name.startsWith(only));
if (chosen.length === 0) command.error(`error: no kind of attack starts with "${only}"; see --list`);

endOnSignals();
const folder = values.folder ?? (await mkdtemp(join(tmpdir(), "prosaas-hostile-")));
// Of one kind as many as a full run has.
const plan =
  only === undefined ? planOf(chosen, values.attacks) : chosen.map((one) => ({ ...one, attacks: one.count }));
try {
  await mkdir(folder, { recursive: true });
  say(`seed ${seed}`);
  const result = await runHostile({ folder, plan, seed, quietS: values.quiet, say });
  for (const { bound, kind, what, times } of result.broken) say(`${bound} was broken by ${kind} (${times}×): ${what}`);
  await publish("fuzz:hostile", values, result);
  process.exitCode = result.broken.length > 0 ? 1 : 0;
} finally {
  if (values.folder === undefined) await rm(folder, { recursive: true, force: true });
}
