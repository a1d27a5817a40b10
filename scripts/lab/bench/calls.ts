import { createRedis } from "../../../lib/redis/client.ts";
import { until } from "../../../lib/testing/until.ts";
import { startStack } from "../../../services/calls/testing/stack.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { startServers } from "../../testing/servers.ts";
import { measureAdmissions } from "./calls/admissions.ts";
import { startEcho } from "./calls/echo.ts";
import { holdStreams } from "./calls/streams.ts";
import type { StreamLevel } from "./calls/streams.ts";

const levelsOf = (text: string): number[] => {
  const parse = wholeNumber();
  return text.split(",").map(parse);
};
const values = labCommand(
  "bench:calls",
  `Measure call admission and media relay.

Compares admissions with bare INCR and EVAL, then finds how many media streams one replica relays on
one core at real pace. Starts every server it needs and stops all of them.`,
)
  .option("--streams <n,n…>", "rising levels to try; the highest that holds is the result", levelsOf, [100, 150, 200])
  .option("--seconds <n>", "length of each measurement", wholeNumber(), 10)
  .option("--callers <n>", "admissions in flight", wholeNumber(), 16)
  .parse()
  .opts();
const { seconds, callers, streams: levels } = values;

/** A frame lasts 20 ms: a relay that is later than that leaves a gap in the audio. */
const tolerableMs = 20;

const servers = await startServers();
Object.assign(process.env, servers.env);
try {
  const redis = createRedis(servers.env.TEST_REDIS_URL, "command");
  const rates = await measureAdmissions(redis, { callers, roundMs: seconds * 50 });
  redis.disconnect();
  for (const [kind, rate] of Object.entries(rates)) say(`${kind.padEnd(16)} ${Math.round(rate)}`);

  const { held, kbPerCall } = await measureStreams();
  const result = {
    admissions_per_s: Math.round(rates.admissionsPerS),
    eval_per_s: Math.round(rates.evalPerS),
    ratio_to_eval: Math.round((rates.admissionsPerS / rates.evalPerS) * 1000) / 1000,
    streams: held?.streams ?? 0,
    relay_p99_ms: held === null ? null : Math.round(held.p99Ms * 100) / 100,
    kb_per_call: kbPerCall,
  };
  await publish("bench:calls", values, result);
} finally {
  await servers.stop();
}
process.exit(0);

async function measureStreams(): Promise<{ held: StreamLevel | null; kbPerCall: number }> {
  const echo = startEcho();
  const stack = await startStack({
    replicas: 0,
    agentUrl: echo.url,
    env: { MAX_CONCURRENT_CALLS: "10000", LOG_LEVEL: "info" },
  });
  try {
    // The replica has one core; this process, with the carrier and the agent in it, has the others.
    const cores = navigator.hardwareConcurrency;
    if (cores > 1)
      Bun.spawnSync(["taskset", "--all-tasks", "--cpu-list", "--pid", `0-${cores - 2}`, String(process.pid)]);
    const replica = await stack.addProcess(
      {},
      { under: cores > 1 ? ["taskset", "--cpu-list", String(cores - 1)] : [] },
    );
    const { number } = await stack.business();
    const hold = async (streams: number, forSeconds: number) => {
      const { calls, ...level } = await holdStreams({ stack, replica, echo, number }, streams, forSeconds);
      const memory = await replica.memory();
      for (const call of calls) call.hangUp();
      await until(async () => (await stack.capacity.count()) === 0, { what: "every call to end", deadlineMs: 120_000 });
      return { ...level, memory };
    };
    // Warm-up: compiles code and grows the heap.
    await hold(20, 2);
    const idle = await replica.memory();
    let held: StreamLevel | null = null;
    let kbPerCall = 0;
    for (const streams of levels) {
      let level = await hold(streams, seconds);
      // Other work of the machine causes stalls: a level holds if one of three measurements holds.
      for (let again = 0; again < 2 && !holds(level); again++) {
        report(level);
        level = await hold(streams, seconds);
      }
      report(level);
      // Measured at the first level: later ones reuse its memory.
      if (kbPerCall === 0) kbPerCall = Math.max(0, level.memory - idle) / 1024 / streams;
      if (!holds(level)) break;
      held = level;
    }
    return { held, kbPerCall: Math.round(kbPerCall * 10) / 10 };
  } finally {
    await stack.close();
    await echo.stop();
  }
}

function holds(level: StreamLevel): boolean {
  return level.p99Ms <= tolerableMs && level.relayed > 0.99;
}

function report(level: StreamLevel): void {
  const { streams, p50Ms, p99Ms, relayed, cores } = level;
  const delays = `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
  const figures = `${delays}, ${(relayed * 100).toFixed(2)} % relayed, ${cores.toFixed(2)} cores`;
  say(`${streams} streams: ${figures}${holds(level) ? "" : "; does not hold"}`);
}
