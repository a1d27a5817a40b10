import { readOptions, wrongArguments } from "../operator/command_line.ts";
import { table } from "../operator/table.ts";
import { readMeasured, thisMachine } from "./measured.ts";
import { ordered, shardsAsOrdered, sizeFor } from "./size.ts";

const usage = `Usage: task capacity -- --sessions N --messages-per-min N [OPTIONS]

How many shards and workers a load asks for, and how much memory, by what one shard was measured to do on this machine
(task bench:shard -- --keep), beside the size that the plan counts with.

  --utilisation PART   of what was measured, the part that is planned with (0.5)
  --shard-memory-mb N  what one shard may take: wa_shards_memory_max (1536)
  --json               one JSON object as the last line`;

const values = readOptions(usage, {
  sessions: { type: "string" },
  "messages-per-min": { type: "string" },
  utilisation: { type: "string", default: "0.5" },
  "shard-memory-mb": { type: "string", default: "1536" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
});
const load = { sessions: Number(values.sessions), messagesPerMin: Number(values["messages-per-min"]) };
const limits = { utilisation: Number(values.utilisation), shardMemoryMb: Number(values["shard-memory-mb"]) };
const whole = (value: number) => Number.isInteger(value) && value > 0;
for (const [option, value] of [
  ["--sessions", load.sessions],
  ["--messages-per-min", load.messagesPerMin],
  ["--shard-memory-mb", limits.shardMemoryMb],
] as const) {
  if (!whole(value)) wrongArguments(`${option} is a whole number above 0, and needed`, usage);
}
if (!(limits.utilisation > 0 && limits.utilisation <= 1))
  wrongArguments("--utilisation is above 0 and at most 1", usage);

const measured = await readMeasured();
if (measured === null) {
  console.error(
    "Nothing was measured yet: run `task bench:shard -- --keep` on a machine like those that are to carry the load.",
  );
  process.exit(1);
}
const size = sizeFor(load, measured, limits);
const asOrdered = shardsAsOrdered(load);
const here = thisMachine();
const elsewhere = here.cpu !== measured.machine.cpu || here.cores !== measured.machine.cores;

if (values.json) {
  const { machine, measured_at } = measured;
  console.log(
    JSON.stringify({
      ...load,
      ...size,
      shards_as_ordered: asOrdered,
      measured: { ...machine, measured_at },
      elsewhere,
    }),
  );
} else {
  const perShard = (shards: number) => [
    `${Math.ceil(load.sessions / shards)}`,
    `${Math.ceil(load.messagesPerMin / shards)}`,
  ];
  console.log(
    table([
      [
        "",
        "shards",
        "sessions each",
        "messages/min each",
        "workers high",
        "memory of the shards",
        "cores of the shards",
      ],
      [
        "measured",
        `${size.shards}`,
        ...perShard(size.shards),
        `${size.workers_high}`,
        `${size.shard_memory_mb} MB`,
        size.shard_cores.toFixed(2),
      ],
      ["the plan", `${asOrdered}`, ...perShard(asOrdered), "-", "-", "-"],
    ]),
  );
  const { machine, measured_at, sessions, msgs_per_min, kb_per_session } = measured;
  console.log(`
${size.because[0]!.toUpperCase()}${size.because.slice(1)} decide the number of shards. One that is killed has its sessions back after about ${size.reopen_after_kill_s} s.
Measured ${measured_at.slice(0, 10)} on ${machine.cores} × ${machine.cpu}: ${sessions} sessions a shard, ${msgs_per_min} messages/min, ${kb_per_session} KB a session;
planned with ${limits.utilisation * 100} % of that. The plan counts with ${ordered.sessionsPerShard} sessions and ${ordered.messagesPerMinPerShard} messages/min a shard.`);
  if (elsewhere) console.log("That is another machine than this one: run `task bench:shard -- --keep` here.");
}
