import { once } from "node:events";
import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { createNomad } from "../../stack/nomad.ts";
import { commandLine } from "../arguments.ts";
import { readNomadAddress } from "../operator/stack.ts";
import { chooseSources } from "./choose.ts";
import type { ChosenSource, LoggedAllocation } from "./choose.ts";
import type { Entry } from "./entry.ts";
import { parseAge, parseLevel, passes } from "./filter.ts";
import type { Filter } from "./filter.ts";
import { describeEntry, jsonOf } from "./format.ts";
import { Merge } from "./merge.ts";
import { nomadReader, openEntries } from "./open.ts";

const command = commandLine(
  "logs",
  `Print the logs of all allocations of services, merged by time.

A service is a job (api), or a group of one (workers/high); all by default. Lines that are not JSON keep
their order, and pass --level only on the standard error. Allocations that ended are read, too.`,
  "-- [SERVICE…] [OPTIONS]",
)
  .argument("[services...]")
  .option("--request-id <id>", "only lines that contain the id of a request (x-request-id)")
  .option("--business <id>", "only lines that contain the id of a business")
  .option("--since <age>", "lines of the last 30s, 10m, 2h or 1d", parseAge, parseAge("10m"))
  .option("--level <level>", "only lines of this level or above: trace, debug, info, warn, error", parseLevel)
  .option("-f, --follow", "go on with new lines, also of new allocations", false)
  .option("--json", "print each line as a JSON object with its allocation", false)
  .parse();
const { requestId, business, since: age, level, follow, json } = command.opts();

const filter: Filter = {
  since: Date.now() - age,
  level,
  texts: [requestId, business].filter((text) => text !== undefined),
};

/** Lines reach a follower within this time, in the order of their times. */
const holdMs = 500;
/** Between two looks for new allocations. */
const lookEveryMs = 2_000;
/** Logs that are opened at once. */
const openedAtOnce = 16;

const address = await readNomadAddress();
const nomad = createNomad(address);
const reader = nomadReader(address);
const keyOf = ({ allocation, task, stream }: ChosenSource) => `${allocation} ${task} ${stream}`;
const known = new Set<string>();
/** The time of the last line of each log. */
const lastSeen = new Map<string, number>();
let failed = 0;

const merged = new Merge<Entry>({
  holdMs: follow ? holdMs : Number.POSITIVE_INFINITY,
  onError: (error) => report("a log broke off", error),
});

function report(what: string, error: unknown): void {
  failed += 1;
  console.error(`${what}: ${messageOf(error)}`);
}

/** Adds the logs of allocations that are not read yet. */
async function addNew(): Promise<void> {
  const all = await nomad<LoggedAllocation[]>("GET", "/v1/allocations");
  const added = chooseSources(all, { services: command.args, since: filter.since }).filter(
    (source) => !known.has(keyOf(source)),
  );
  for (const source of added) known.add(keyOf(source));
  for (let from = 0; from < added.length; from += openedAtOnce)
    await Promise.all(added.slice(from, from + openedAtOnce).map(add));
}

async function add(source: ChosenSource): Promise<void> {
  const since = Math.max(filter.since, (lastSeen.get(keyOf(source)) ?? 0) + 1);
  try {
    const entries = await openEntries(reader, source, { since, follow: follow && source.isRunning });
    if (entries !== null) merged.add(tracked(source, entries, since));
  } catch (error) {
    report(`${source.stream} of ${source.name} could not be read`, error);
  }
}

/** A running task's log that breaks off, as with its agent, is opened again at the next look, where it ended. */
async function* tracked(source: ChosenSource, entries: AsyncIterable<Entry>, since: number): AsyncGenerator<Entry> {
  try {
    for await (const entry of entries) {
      if (entry.at < since && lastSeen.has(keyOf(source))) continue;
      yield entry;
      lastSeen.set(keyOf(source), entry.at);
    }
  } finally {
    if (follow && source.isRunning) known.delete(keyOf(source));
  }
}

async function addForEver(): Promise<never> {
  for (;;) {
    await sleep(lookEveryMs);
    await addNew().catch((error: unknown) => report("new allocations could not be looked for", error));
  }
}

// A reader such as head that has enough.
process.stdout.once("error", () => process.exit(0));

await addNew();
if (follow) void addForEver();
else merged.end();
let printed = 0;
for await (const entry of merged) {
  if (!passes(filter, entry)) continue;
  printed += 1;
  const isTaken = process.stdout.write(`${json ? jsonOf(entry) : describeEntry(entry)}\n`);
  if (!isTaken) await once(process.stdout, "drain");
}
if (printed === 0) console.error("No line matches; --since and --level widen the search.");
process.exitCode = failed > 0 ? 1 : 0;
