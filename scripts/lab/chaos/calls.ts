import { createLifecycle } from "../../../lib/runtime/lifecycle.ts";
import { createRedisServer } from "../../../lib/testing/redis_server.ts";
import { until } from "../../../lib/testing/until.ts";
import { startProcess } from "../../../services/calls/testing/process.ts";
import { startStack } from "../../../services/calls/testing/stack.ts";
import type { SimulatedCall } from "../../../services/simulator/carrier/call.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { startServers } from "../../testing/servers.ts";
import { createCallers, watchLimit } from "./calls/callers.ts";

const values = labCommand(
  "chaos:calls",
  `Break the calls service while people talk.

Three replicas whose clocks differ by twenty minutes share a limit of 50 calls, and 500 callers dial
at once. Then the limit is raised, a replica killed, Redis restarted empty and every replica
replaced. Starts every server it needs and stops all of them.`,
)
  .option("--attempts <n>", "simultaneous callers", wholeNumber(), 500)
  .parse()
  .opts();
const { attempts } = values;

const leaseMs = 20_000;
const skews = [0, 600_000, -600_000];
const wrongClock = { preload: "./services/calls/testing/wrong_clock.ts" };

const servers = await startServers();
Object.assign(process.env, servers.env);
const redis = await createRedisServer();
await redis.start();
// The agent has a process of its own, which no fault hits.
const agent = await startProcess({ main: "services/calls/agent/main.ts", env: { PORT: "0" } });
const life = createLifecycle("chaos");
try {
  const stack = await startStack({
    replicas: 0,
    redisUrl: redis.url,
    agentUrl: agent.url.replace("http", "ws"),
    env: { MAX_CONCURRENT_CALLS: "50", CALL_LEASE_MS: String(leaseMs), CALL_RECOVERY_MS: "3000", STOP_GRACE_MS: "500" },
  });
  life.onStop("stack", () => stack.close());
  const { number } = await stack.business();
  const callers = createCallers(stack, number);
  let limit = 50;
  const watch = watchLimit(stack, () => limit);
  life.onStop("watch", () => watch.stop());
  const freed = () =>
    until(async () => (await stack.capacity.count()) === 0, { what: "every slot to be free", deadlineMs: 30_000 });
  const open = () =>
    until(async () => (await stack.capacity.announce()) === 0, { what: "the recovery to end", deadlineMs: 30_000 });
  const limitSeen = (by: number) =>
    until(async () => {
      const texts = await Promise.all(
        stack.processes.map(async ({ opsUrl }) => (await fetch(`${opsUrl}/metrics`)).text()),
      );
      return texts.every((text) => new RegExp(`^prosaas_calls_limit\\{.*\\} ${by}$`, "m").test(text));
    });

  await stack.addProcess();
  await open();
  const alone = await callers.attempt(attempts);
  say(`1 replica: ${alone.length} of ${attempts} were admitted`);
  await callers.hangUp(alone);
  await freed();

  await stack.endProcess(stack.processes[0]!, "SIGTERM");
  for (const skew of skews) await stack.addProcess({ CLOCK_SKEW_MS: String(skew) }, wrongClock);
  const together = await callers.attempt(attempts);
  say(`3 replicas: ${together.length} of ${attempts} were admitted`);

  limit = 150;
  await stack.setLimit(limit);
  await limitSeen(limit);
  const more = await callers.attempt(attempts);
  const raised = callers.talking([...together, ...more]);
  say(`limit raised to ${limit} live: ${raised.length} talk`);
  // Some hang up, which leaves 60 calls over three replicas.
  const staying = raised.slice(0, 60);
  await callers.hangUp(raised.slice(60));
  limit = 60;
  await stack.setLimit(limit);
  await limitSeen(limit);
  await callers.areHeard(staying, "1", "");

  const victim = stack.processes[1]!;
  const streams = async () =>
    Number(/^prosaas_calls_streams\{.*\} (\d+)$/m.exec(await (await fetch(`${victim.opsUrl}/metrics`)).text())?.[1]);
  const killed = await streams();
  const silencesBefore = silences(staying).length;
  await stack.endProcess(victim, "SIGKILL");
  await until(() => silences(staying).length - silencesBefore >= killed, { deadlineMs: 20_000 }).catch(() => {});
  const recoveries = silences(staying).slice(silencesBefore);
  const heardAfterKill = await callers.areHeard(staying, "2", "1+");
  const recovered = Math.min(recoveries.length, killed - (staying.length - heardAfterKill));
  say(`kill -9 with ${killed} calls: ${recovered} went on, the longest silence ${Math.max(0, ...recoveries)} ms`);
  await stack.addProcess({ CLOCK_SKEW_MS: String(skews[1]) }, wrongClock);

  await redis.stop();
  await redis.start();
  await until(async () => (await stack.redis.ping()) === "PONG", { what: "Redis" });
  const during = await callers.attempt(30);
  await open();
  const after = await callers.attempt(30);
  const lostToRedis = staying.length - callers.talking(staying).length;
  say(
    `Redis restarted empty: ${lostToRedis} of ${staying.length} calls lost, ` +
      `${during.length + after.length} admitted beyond the limit`,
  );
  await callers.hangUp([...during, ...after]);

  const remaining = callers.talking(staying).slice(0, 40);
  await callers.hangUp(staying.filter((call) => !remaining.includes(call)));
  for (const old of stack.processes.slice()) {
    await stack.addProcess();
    await stack.endProcess(old, "SIGTERM");
  }
  const heardAfterDeploy = await callers.areHeard(remaining, "3", "1+2+");
  say(`rolling deploy with ${remaining.length} calls: ${remaining.length - heardAfterDeploy} dropped`);

  await callers.hangUp(remaining);
  await freed().catch(() => {});
  const result = {
    attempts,
    admitted_1_replica: alone.length,
    admitted_3_replicas: together.length,
    admitted_after_raise: raised.length,
    over_limit: Math.max(0, watch.over()),
    leaked_slots: await stack.capacity.count(),
    calls_killed: killed,
    calls_recovered: recovered,
    recover_ms_max: Math.max(0, ...recoveries),
    calls_dropped_by_deploy: remaining.length - heardAfterDeploy + lostToRedis,
  };
  await publish("chaos:calls", values, result);
} finally {
  await life.stop();
  agent.kill("SIGTERM");
  await agent.exited;
  await redis.stop();
  await servers.stop();
}
process.exit(0);

function silences(calls: readonly SimulatedCall[]): number[] {
  return calls.flatMap((call) => call.view().recoveries_ms);
}
