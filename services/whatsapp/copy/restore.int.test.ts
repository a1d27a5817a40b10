import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { kill } from "../testing/shard_process.ts";
import type { ShardProcess } from "../testing/shard_process.ts";
import { control, makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";
import { copyScenario } from "./testing/copy_scenario.ts";

const scenario = copyScenario();

const received = async (shard: ShardProcess) => (await shard.readJournal("inbound")).map(({ data }) => data.text ?? "");

describe.each(["copied", "required"] as const)("a shard whose volume is lost (%s)", (durability) => {
  test("is restored without a QR code, loss or duplicate", async () => {
    const { launch, shards, emptyVolume } = scenario;
    const { simulator, volume } = shards;
    const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
    await makePhone(simulator, contact);
    const write = (body: string) =>
      control(simulator, "POST", `/phones/${contact}/messages`, { to: phone, text: body });
    const sentBy = async (from: string) =>
      (await control<{ data: { status: string }[] }>(simulator, "GET", `/phones/${from}/sent`)).data;
    const first = launch(durability);
    await first.pair(simulator, business, phone);
    await scenario.complete();
    const outgoing = ["out 1", "out 2", "out 3"].map((body) => text(contact, body));
    expect((await first.deliver(business, outgoing)).every(({ status }) => status === "sent")).toBeTrue();
    await write("in 1");
    await until(async () => (await received(first)).length === 1, { what: "the first message" });
    // Without its receipt, WhatsApp would deliver it once more.
    await until(async () => (await sentBy(contact)).every(({ status }) => status === "delivered"), {
      what: "its receipt",
    });
    await scenario.upToDate(first);
    await kill(first);
    rmSync(volume, { recursive: true });
    await write("in 2");

    await scenario.expireOwner();
    const second = launch(durability, emptyVolume());
    await second.reaches(business, "open");
    await until(() => second.log().includes("restored the shard from its copy"), { what: "the log entry" });
    await until(async () => (await received(second)).length >= 2, { what: "both messages" });
    expect(await received(second)).toEqual(["in 1", "in 2"]);
    // Handed over again by a worker that has lost the answer.
    const more = [...outgoing, text(contact, "out 4")];
    expect((await second.deliver(business, more)).every(({ status }) => status === "sent")).toBeTrue();
    await write("in 3");
    await until(async () => (await received(second)).includes("in 3"), { what: "the third message" });
    const screen = await screenOf(simulator, contact);
    expect(screen.texts).toEqual(["out 1", "out 2", "out 3", "out 4"]);
    expect([screen.duplicates, screen.undecryptable]).toEqual([0, 0]);
    expect(await scenario.replacedLogins()).toBe(0);
  });
});
