import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish } from "../command.ts";
import { endOnSignals } from "../rig/child.ts";
import { chaos } from "./shard/chaos.ts";
import { steps } from "./shard/steps.ts";
import { figuresOf, verdictOf } from "./shard/verdict.ts";

const command = labCommand(
  "chaos:shard",
  `Break a shard and everything around it while businesses and their contacts write to each other.

Messages pass Postgres, a worker, the shard and the simulator. The shard is killed in the middle of
a batch, of a pairing and of a write to its key store; connections drop in storms; Redis, Postgres
and Consul stop; the disk fills up; the simulator raises all its faults. Beside that, in a random order,
it does what WhatsApp does besides ordinary messages: the scenarios of chaos/shard/scenarios.
Compares every message by content and order at both ends. Starts every server it needs and stops all
of them. Needs root, to mount a small disk. Exits 1 if anything was lost, doubled, misfiled or out of
order, a login was lost or needless, or a scenario never happened.`,
)
  .option("--messages <n>", "least messages in each direction", wholeNumber(), 20_000)
  .option("--rate <n>", "messages a second in each direction", wholeNumber(), 80)
  .option("--sessions <n>", "businesses", wholeNumber(), 20)
  .option("--contacts <n>", "contacts of each business", wholeNumber(), 5)
  .option("--scenario-every <n>", "messages for each scenario of the side traffic", wholeNumber(), 20)
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
  const outcome = await chaos({
    steps: Array.from({ length: values.rounds }, () => chosen).flat(),
    businesses: values.sessions,
    contacts: values.contacts,
    perSecond: values.rate,
    scenarioEvery: values.scenarioEvery,
    messages: values.messages,
    seconds: 2,
    outageS: values.outage,
    folder,
    say,
  });
  const verdict = verdictOf(outcome);
  await publish("chaos:shard", values, {
    seconds: Math.round((performance.now() - began) / 1000),
    ...figuresOf(outcome),
    ...verdict,
  });
  if (Object.values(verdict).some((count) => count > 0)) process.exitCode = 1;
} finally {
  if (!values.keep) await rm(folder, { recursive: true, force: true });
}
