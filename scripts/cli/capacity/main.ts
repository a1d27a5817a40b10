import { numberUpTo, resultCommand, wholeNumber } from "../arguments.ts";
import { table } from "../operator/table.ts";
import { readMeasured, thisMachine } from "./measured.ts";
import { ordered, shardsAsOrdered, sizeFor } from "./size.ts";

const values = resultCommand(
  "capacity",
  `Calculate the shards, workers and memory that a load needs.

Uses what one shard was measured to do (task bench:shard -- --keep) and prints the size of the
original plan beside it.`,
  "-- --sessions N --messages-per-min N [OPTIONS]",
)
  .requiredOption("--sessions <n>", "WhatsApp sessions", wholeNumber())
  .requiredOption("--messages-per-min <n>", "messages a minute over all sessions", wholeNumber())
  .option("--utilisation <part>", "part of the measured capacity to plan with", numberUpTo(1), 0.5)
  .option("--shard-memory-mb <n>", "memory limit of a shard (memory.max of wa-shards)", wholeNumber(), 1536)
  .parse()
  .opts();
const load = { sessions: values.sessions, messagesPerMin: values.messagesPerMin };
const limits = { utilisation: values.utilisation, shardMemoryMb: values.shardMemoryMb };

const measured = await readMeasured();
if (measured === null) {
  console.error("No measurement yet: run `task bench:shard -- --keep` on a machine like those of the cluster.");
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
The number of shards follows from the ${size.because}. A killed shard reopens its sessions in about \
${size.reopen_after_kill_s} s.
Measured ${measured_at.slice(0, 10)} on ${machine.cores} × ${machine.cpu}: \
${sessions} sessions a shard, ${msgs_per_min} messages/min, ${kb_per_session} KB a session.
Planned with ${limits.utilisation * 100} % of that. The original plan assumes ${ordered.sessionsPerShard} sessions and \
${ordered.messagesPerMinPerShard} messages/min a shard.`);
  if (elsewhere) console.log("Those figures come from another machine: run `task bench:shard -- --keep` here.");
}
