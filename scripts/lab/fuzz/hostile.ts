import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRun, resultOptions, wrongArguments } from "../../cli/operator/command_line.ts";
import { endOnSignals } from "../rig/child.ts";
import { kinds, planOf } from "./hostile/kinds.ts";
import { runHostile } from "./hostile/run.ts";

const usage = `Usage: task fuzz:hostile [-- --json] [-- OPTIONS]

Attacks the whole platform, nginx and calls included, with everything that a stranger on WhatsApp, a tenant, the voice
carrier and a visitor can send: one kind of attack after the other, while Redis is filled up once and another tenant
sends a message a second and holds a call. Starts everything it needs on loopback and leaves nothing running.

Exits 1 where a bound is broken, and names the kind of attack: a process died or took more memory than its job file
gives it; an event loop was blocked for more than 250 ms; more than 64 MB lay on disk; a request was answered 500, or
not in time, or should have been refused; the other tenant's message failed, its call was silent, or its p99 (from
when a message is due to WhatsApp's acknowledgement, apart from while Redis is full) is above 5 times its quiet p99.

  --json        one JSON object as the last line
  --attacks N   spread over all kinds (7000)
  --seed N      the same seed attacks the same way (a new one each time)
  --only KIND   this kind alone, or all whose names begin with it
  --quiet N     seconds for which the other tenant is measured first (30)
  --list        names the kinds
  --folder F    keep logs there`;

const others = {
  ...resultOptions,
  only: { type: "string" },
  list: { type: "boolean", default: false },
  folder: { type: "string" },
} as const;
const values = readRun(usage, { attacks: 7_000, seed: 1 + (Date.now() % 1_000_000), quiet: 30 }, others);

if (values.list) {
  for (const { name, from, count } of kinds) console.log(`${name.padEnd(40)} ${from.padEnd(9)} ${count}`);
  process.exit(0);
}
const chosen = kinds.filter(({ name }) => values.only === undefined || name.startsWith(values.only));
if (chosen.length === 0) wrongArguments(`no kind of attack begins with "${values.only}"; --list names them`, usage);

endOnSignals();
const say = (line: string) => void process.stderr.write(`${line}\n`);
const folder = values.folder ?? (await mkdtemp(join(tmpdir(), "prosaas-hostile-")));
// Of one kind as many as a full run has.
const plan =
  values.only === undefined ? planOf(chosen, values.attacks) : chosen.map((one) => ({ ...one, attacks: one.count }));
try {
  await mkdir(folder, { recursive: true });
  say(`seed ${values.seed}`);
  const result = await runHostile({ folder, plan, seed: values.seed, quietS: values.quiet, say });
  for (const { bound, kind, what, times } of result.broken) say(`${bound} was broken by ${kind} (${times}×): ${what}`);
  console.log(values.json ? JSON.stringify(result) : JSON.stringify(result, null, 2));
  process.exitCode = result.broken.length > 0 ? 1 : 0;
} finally {
  if (values.folder === undefined) await rm(folder, { recursive: true, force: true });
}
