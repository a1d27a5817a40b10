import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { uuidv7 } from "../../../lib/core/ids.ts";
import type { BatchMessage, JournalData } from "../../../lib/contracts/shard/schemas.ts";
import { until } from "../../../lib/testing/until.ts";
import { kill } from "../testing/shard_process.ts";
import type { ShardProcess } from "../testing/shard_process.ts";
import { control, makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";
import { copyScenario } from "./testing/copy_scenario.ts";

const scenario = copyScenario();

/** Messages that wait for the reader at most: a busy machine takes long to start a shard. */
const maxUnread = 50;

/** Messages both ways while shards die: sent as workers do, and received as the journal's reader does. */
class Traffic {
  readonly sent: string[] = [];
  readonly written: string[] = [];
  /** By WhatsApp's id, as Postgres stores them. */
  readonly received = new Map<string, string>();
  readonly #stop = new AbortController();
  readonly #shard: () => ShardProcess;
  readonly #lanes: Promise<void>[];

  constructor(shard: () => ShardProcess, business: string, phone: string, contact: string) {
    this.#shard = shard;
    this.#lanes = [
      this.#repeat(async (n) => {
        const body = `out ${n}`;
        await this.#deliver(business, text(contact, body));
        this.sent.push(body);
      }),
      this.#repeat(async () => {
        await Bun.sleep(100);
        if (this.written.length >= this.received.size + maxUnread) return;
        const body = `in ${this.written.length + 1}`;
        await control(scenario.shards.simulator, "POST", `/phones/${contact}/messages`, { to: phone, text: body });
        this.written.push(body);
      }),
      this.#repeat(() => this.read().catch(() => Bun.sleep(50))),
    ];
  }

  /** Writes a page of the journal to "Postgres", then confirms it. */
  async read(): Promise<void> {
    const shard = this.#shard();
    const entries = await shard.readJournal("inbound");
    for (const { data } of entries as { data: JournalData<"inbound"> }[])
      this.received.set(data.wa_message_id, data.text ?? "");
    const through = entries.at(-1)?.seq;
    if (through === undefined) await Bun.sleep(20);
    else await shard.request("POST", "/journal/inbound/ack", { through });
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#lanes);
  }

  async #repeat(step: (n: number) => Promise<void>): Promise<void> {
    for (let n = 1; !this.#stop.signal.aborted; n++) await step(n);
  }

  async #deliver(business: string, message: BatchMessage): Promise<void> {
    await until(async () => (await this.#shard().send(business, [message]))[0]?.status === "sent", {
      what: `"${JSON.stringify(message)}" to be sent`,
      // Two starts of a shard.
      deadlineMs: 150_000,
      everyMs: 100,
    });
  }
}

describe.each(["required", "copied"] as const)("volumes that are lost one after the other (%s)", (durability) => {
  test("cost no message", async () => {
    const { launch, shards, emptyVolume } = scenario;
    const { simulator } = shards;
    const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
    await makePhone(simulator, contact);
    let volume = shards.volume;
    let shard = launch(durability);
    await shard.pair(simulator, business, phone);
    await scenario.complete();
    const traffic = new Traffic(() => shard, business, phone, contact);
    for (const moreMessages of [3, 12]) {
      const before = traffic.sent.length;
      await until(() => traffic.sent.length >= before + moreMessages, { what: "messages", deadlineMs: 60_000 });
      await scenario.complete();
      await kill(shard);
      rmSync(volume, { recursive: true });
      volume = emptyVolume();
      await scenario.expireOwner();
      // The first attempt to restore is killed, too.
      const killed = launch(durability, volume);
      await until(() => killed.log().includes("claimed the copy"), { what: "a claim", everyMs: 1 });
      await kill(killed);
      await scenario.expireLock();
      shard = launch(durability, volume);
      await shard.reaches(business, "open");
    }
    await traffic.end();
    const all = async () => {
      await traffic.read();
      return traffic.received.size >= traffic.written.length;
    };
    // The comparison below shows which ones are missing.
    if (durability === "required") await until(all).catch(() => {});
    const received = [...traffic.received.values()];
    expect(new Set(received).size).toBe(received.length);
    // `copied` may lose what WhatsApp was acknowledged in the last moment before a kill.
    if (durability === "required") expect(received.toSorted()).toEqual(traffic.written.toSorted());
    // A message of a session that the restore deleted is sent again after the contact's retry receipt.
    const shown = async () => (await screenOf(simulator, contact)).texts.toSorted();
    await until(async () => (await shown()).length >= traffic.sent.length).catch(() => {});
    expect(await shown()).toEqual(traffic.sent.toSorted());
    expect(await scenario.replacedLogins()).toBe(0);
    expect(await shard.view(business)).toMatchObject({ status: "open", phone });
    // Each volume costs the start of two processes.
  }, 240_000);
});
