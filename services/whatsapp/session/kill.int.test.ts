import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { kill, launchUntil, processScenario } from "../testing/shard_process.ts";
import type { KillPoint, ShardProcess } from "../testing/shard_process.ts";
import { control, makePhone, newPhone } from "../testing/shard_under_test.ts";

const scenario = processScenario();

/** The session's last status in the journal of a process that runs. */
async function lastStatus(shard: ShardProcess) {
  const reports = (await shard.readJournal("events")).flatMap(({ data }) =>
    data.event === "session.status" ? [data] : [],
  );
  return reports.at(-1);
}

/** Runs a shard with an open session until the end of the session kills it, and then another one. */
async function killedAtEnd(
  point: KillPoint,
  end: (shard: ShardProcess, phone: string, id: string) => Promise<unknown>,
) {
  const [business, phone] = [uuidv7(), newPhone()];
  const first = launchUntil(scenario, point);
  await first.pair(scenario.simulator, business, phone);
  await Promise.all([end(first, phone, business).catch(() => {}), first.exited]);
  return scenario.launch();
}

describe("the journal of a shard that was killed", () => {
  test("reports a session that the phone logged out", async () => {
    const fault = (kind: string, phone: string, more: object = {}) =>
      control(scenario.simulator, "POST", "/faults", { kind, phone, ...more });
    const shard = await killedAtEnd("logout", async (_, phone) => {
      await fault("login_failure", phone, { reason: "401" });
      await fault("drop", phone);
    });
    await until(async () => (await lastStatus(shard))?.status === "logged_out", { what: "the logout" });
    expect(await lastStatus(shard)).toMatchObject({ paired: false, reason: expect.stringContaining("401") });
  });

  test("reports a session that was logged out on request", async () => {
    const shard = await killedAtEnd("logout", (first, _, id) => first.request("DELETE", `/sessions/${id}`));
    await until(async () => (await lastStatus(shard))?.status === "logged_out", { what: "the logout" });
  });

  test("reports a session that was stopped on request", async () => {
    const shard = await killedAtEnd("suspension", (first, _, id) => first.request("POST", `/sessions/${id}/stop`));
    await until(async () => (await lastStatus(shard))?.status === "disconnected", { what: "the stop" });
    expect(await lastStatus(shard)).toMatchObject({ paired: true, reason: "stopped on request" });
  });

  test("reports the end of an unfinished pairing", async () => {
    const business = uuidv7();
    await makePhone(scenario.simulator, newPhone());
    const first = scenario.launch();
    await first.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await first.reaches(business, "qr");
    await until(async () => (await lastStatus(first))?.status === "qr", { what: "the code" });
    await kill(first);
    const shard = scenario.launch();
    await until(async () => (await lastStatus(shard))?.status === "disconnected", { what: "the end of the pairing" });
    expect(await lastStatus(shard)).toMatchObject({ paired: false });
  });
});
