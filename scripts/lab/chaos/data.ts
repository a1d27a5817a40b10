import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "../../../lib/core/time.ts";
import { until } from "../../../lib/testing/until.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { startClients } from "./data/clients.ts";
import { setStage } from "./data/stage.ts";
import { compareChat } from "../rig/comparison.ts";

const values = labCommand(
  "chaos:data",
  `Break the data services behind the API under steady load.

Runs two replicas of the API behind nginx, with pgbouncer, PostgreSQL and a streaming replica. Kills
and freezes the pooler, stops and delays the replica, restarts and kills the primary. Looks for
every accepted message and checks every answer. Starts every server it needs and stops all of them.
Exits 1 if an answer was wrong, a message was lost or doubled, or an error was not a 503 with
Retry-After.`,
)
  .option("--behind-s <n>", "seconds by which the replica lags", wholeNumber(), 60)
  .parse()
  .opts();
const { behindS } = values;

/** Two seconds without a failure mean recovery: callers send some hundred requests in them. */
const quietMs = 2_000;
/** After this time, pages of old messages come from the replica: the allowed lag and a margin. */
const settleMs = 13_000;

const folder = await mkdtemp(join(tmpdir(), "prosaas-chaos-"));
const stage = await setStage(folder, 4);
try {
  const clients = startClients(stage);
  const recoveries: Record<string, number> = {};

  /** Injects a fault and records how long requests failed after the recovery, whose time `act` returns. */
  const fault = async (name: string, act: () => Promise<number>) => {
    const before = clients.experience.unavailable;
    const recoveredAt = await act();
    await until(() => performance.now() - Math.max(recoveredAt, clients.lastFailureAt()) > quietMs, {
      deadlineMs: 60_000,
      what: "requests without failures",
    });
    recoveries[name] = Math.round(Math.max(0, clients.lastFailureAt() - recoveredAt));
    say(
      `${name.padEnd(24)} ${clients.experience.unavailable - before} answers of 503, ` +
        `the last ${recoveries[name]} ms after recovery`,
    );
  };
  const replicaIsUsed = () =>
    until(() => stage.replicaIsUsed(), { deadlineMs: 30_000, what: "the replica to be used" });

  await replicaIsUsed();
  await sleep(settleMs);
  await fault("pooler killed", async () => {
    await stage.pooler.restart();
    return performance.now();
  });
  await fault("pooler silent", async () => {
    const before = clients.experience.unavailable;
    stage.pooler.freeze();
    const failing = () => clients.experience.unavailable > before;
    await until(failing, { deadlineMs: 60_000, what: "requests to fail" }).finally(() => stage.pooler.thaw());
    return performance.now();
  });
  await fault("replica stopped", async () => {
    const stopped = performance.now();
    await stage.replica.stop();
    await sleep(8_000);
    await stage.replica.start();
    await replicaIsUsed();
    return stopped;
  });
  await fault("replica behind", async () => {
    const held = performance.now();
    await stage.replica.pause();
    await sleep(behindS * 1_000);
    await stage.replica.resume();
    await replicaIsUsed();
    return held;
  });
  for (const [name, signal] of [
    ["primary restarted", "SIGINT"],
    ["primary killed", "SIGQUIT"],
  ] as const) {
    await fault(name, async () => {
      await stage.primary.stop(signal);
      await stage.primary.start();
      return performance.now();
    });
  }
  await replicaIsUsed();

  const textsOf = (messages: readonly { text: string }[]) => messages.map(({ text }) => text);
  const idsAndTexts = (messages: readonly { id: string; text: string }[]) =>
    messages.map(({ id, text }) => `${id} ${text}`);
  const accepted = await clients.stop();
  let [lost, doubled, strange] = [0, 0, 0];
  for (const [businessId, messages] of accepted) {
    const rows = await stage.stored(businessId);
    const byText = compareChat(textsOf(messages), textsOf(rows));
    doubled += byText.duplicates;
    strange += byText.foreign;
    // Under the id that the API returned.
    lost += compareChat(idsAndTexts(messages), idsAndTexts(rows)).lost;
  }
  const { requests, unavailable, otherErrors, wrong } = clients.experience;
  const others = [...otherErrors].reduce((sum, [, count]) => sum + count, 0);
  for (const [what, count] of otherErrors) say(`${count} × ${what}`);
  for (const what of new Set(wrong)) say(what);
  const result = {
    requests,
    accepted: [...accepted.values()].reduce((sum, { length }) => sum + length, 0),
    replica_reads: await stage.replicaReads(),
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
  await stage.stop();
  await rm(folder, { recursive: true, force: true });
}
