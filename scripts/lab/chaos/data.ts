import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "../../../lib/core/time.ts";
import { until } from "../../../lib/testing/until.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish } from "../command.ts";
import { startClients } from "./data/clients.ts";
import { startPlatform } from "./data/platform.ts";

const values = labCommand(
  "chaos:data",
  `Break the data services behind the API under steady load.

Runs two replicas of the API behind nginx, with pgbouncer, PostgreSQL and a streaming replica. Kills and freezes the
pooler, stops and delays the replica, restarts and kills the primary. Looks for every accepted message and checks every
answer. Starts every server it needs and stops all of them. Exits 1 if an answer was wrong, a message was lost or doubled,
or an error was not a 503 with Retry-After.`,
)
  .option("--behind-s <n>", "seconds by which the replica lags", wholeNumber(), 60)
  .parse()
  .opts();
const { behindS } = values;
const say = (line: string) => void process.stderr.write(`${line}\n`);

/** Two seconds without a failure are an end of it: callers ask some hundred times in them. */
const quietMs = 2_000;
/** From when on pages of long ago come from the replica: more than the lag that is allowed and a margin. */
const settleMs = 13_000;

const folder = await mkdtemp(join(tmpdir(), "prosaas-chaos-"));
const platform = await startPlatform(folder, 4);
try {
  const clients = startClients(platform);
  const recoveries: Record<string, number> = {};

  /** Breaks something, and tells how long after it was whole again the last request failed. `act` gives that moment. */
  const fault = async (name: string, act: () => Promise<number>) => {
    const before = clients.experience.unavailable;
    const whole = await act();
    await until(() => performance.now() - Math.max(whole, clients.lastFailureAt()) > quietMs, {
      deadlineMs: 60_000,
      what: "calm",
    });
    recoveries[name] = Math.round(Math.max(0, clients.lastFailureAt() - whole));
    say(
      `${name.padEnd(24)} ${clients.experience.unavailable - before} answers of 503, the last ${recoveries[name]} ms after it was whole`,
    );
  };
  const replicaIsUsed = () =>
    until(() => platform.replicaIsUsed(), { deadlineMs: 30_000, what: "the replica to be used" });

  await replicaIsUsed();
  await sleep(settleMs);
  await fault("pooler killed", async () => {
    await platform.pooler.restart();
    return performance.now();
  });
  await fault("pooler silent", async () => {
    const before = clients.experience.unavailable;
    platform.pooler.freeze();
    const givenUp = () => clients.experience.unavailable > before;
    await until(givenUp, { deadlineMs: 60_000, what: "the API to give up the pooler" }).finally(() =>
      platform.pooler.thaw(),
    );
    return performance.now();
  });
  await fault("replica stopped", async () => {
    const stopped = performance.now();
    await platform.replica.stop();
    await sleep(8_000);
    await platform.replica.start();
    await replicaIsUsed();
    return stopped;
  });
  await fault("replica behind", async () => {
    const held = performance.now();
    await platform.replica.pause();
    await sleep(behindS * 1_000);
    await platform.replica.resume();
    await replicaIsUsed();
    return held;
  });
  for (const [name, signal] of [
    ["primary restarted", "SIGINT"],
    ["primary killed", "SIGQUIT"],
  ] as const) {
    await fault(name, async () => {
      await platform.primary.stop(signal);
      await platform.primary.start();
      return performance.now();
    });
  }
  await replicaIsUsed();

  const accepted = await clients.stop();
  let [lost, doubled, strange] = [0, 0, 0];
  for (const [businessId, messages] of accepted) {
    const rows = await platform.stored(businessId);
    const texts = new Map(rows.map(({ id, text }) => [id, text]));
    lost += messages.filter(({ id, text }) => texts.get(id) !== text).length;
    doubled += rows.length - new Set(rows.map(({ text }) => text)).size;
    const known = new Set(messages.map(({ text }) => text));
    strange += rows.filter(({ text }) => !known.has(text)).length;
  }
  const { requests, unavailable, otherErrors, wrong } = clients.experience;
  const others = [...otherErrors].reduce((sum, [, count]) => sum + count, 0);
  for (const [what, count] of otherErrors) say(`${count} × ${what}`);
  for (const what of new Set(wrong)) say(what);
  const result = {
    requests,
    accepted: [...accepted.values()].reduce((sum, { length }) => sum + length, 0),
    replica_reads: await platform.replicaReads(),
    wrong_answers: wrong.length + strange,
    lost,
    doubled,
    errors_503_with_retry_after: unavailable,
    errors_other: others,
    recover_ms_max: Math.max(...Object.values(recoveries)),
    recover_ms: recoveries,
  };
  await publish("chaos:data", values, result);
  process.exitCode = result.wrong_answers + lost + doubled + others > 0 ? 1 : 0;
} catch (error) {
  for (const name of ["api-1.log", "api-2.log", "postgres.log"])
    say((await Bun.file(join(folder, name)).text()).slice(-2_000));
  throw error;
} finally {
  await platform.stop();
  await rm(folder, { recursive: true, force: true });
}
