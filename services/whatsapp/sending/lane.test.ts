import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { until } from "../../../lib/testing/until.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { ShardDb } from "../volume/shard_db.ts";
import { Lane } from "./lane.ts";
import type { LaneOptions, RelayMessage } from "./lane.ts";
import { Ledger } from "./ledger.ts";
import { Transient, Undeliverable } from "./errors.ts";

const business = "0190b2a0-0000-7000-8000-000000000001";
const ring = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const logger = createLogger("test", "error");
const at = (chat: string, waMessageId: string) => ({
  waMessageId,
  chat: `${chat}@s.whatsapp.net`,
  message: { conversation: waMessageId },
});
/** A message to a chat of its own. */
const text = (waMessageId: string) => at(waMessageId, waMessageId);

let folder: string;
let db: ShardDb;
let ledger: Ledger;
let relayed: string[];
let overdue: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lane-"));
  db = ShardDb.open(join(folder, "shard.db"), ring);
  ledger = new Ledger(db);
  relayed = [];
  overdue = 0;
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const lane = (options: Partial<LaneOptions> = {}) =>
  new Lane({ businessId: business, ledger, logger, fence: () => {}, onOverdue: () => (overdue += 1), ...options });
const relay: RelayMessage = (_chat, _message, id, transmit) => transmit(async () => void relayed.push(id));
const left = (...ids: string[]) =>
  until(() => relayed.join() === ids.join(), { what: `${ids.join()} to leave`, everyMs: 1 });

describe("a lane", () => {
  test("sends in order without waiting for each acknowledgement", async () => {
    const sut = lane();
    sut.open(relay);
    const sending = sut.send(["A", "B", "C"].map(text));
    await left("A", "B", "C");
    sut.acknowledged("B", { code: "463" });
    sut.acknowledged("A", undefined);
    sut.acknowledged("C", undefined);
    expect(await sending).toMatchObject([
      { status: "sent" },
      { status: "failed", error: { code: "463" } },
      { status: "sent" },
    ]);
    expect(sut.depth).toBe(0);
  });

  test("refuses messages before the connection is open", async () => {
    await expect(lane().send([text("A")])).rejects.toMatchObject({ code: "unavailable" });
  });

  test("sends a repeated batch once, in flight and afterwards", async () => {
    const sut = lane();
    sut.open(relay);
    const first = sut.send([text("A"), text("B")]);
    const second = sut.send([text("A"), text("B"), text("C")]);
    await left("A", "B", "C");
    for (const id of ["A", "B", "C"]) sut.acknowledged(id, undefined);
    expect((await first).map(({ status }) => status)).toEqual(["sent", "sent"]);
    expect((await second).map(({ status }) => status)).toEqual(["sent", "sent", "sent"]);
    expect(await sut.send([text("B"), text("A")])).toMatchObject([{ status: "sent" }, { status: "sent" }]);

    const afterRestart = lane();
    afterRestart.open(relay);
    expect(await afterRestart.send([text("A")])).toMatchObject([{ status: "sent" }]);
    expect(relayed).toEqual(["A", "B", "C"]);
  });

  test("sends a message once that two batches contain", async () => {
    const sut = lane();
    sut.open(relay);
    const first = sut.send([text("A"), text("B")]);
    const second = sut.send([text("B"), text("C")]);
    await left("A", "B", "C");
    for (const id of ["A", "B", "C"]) sut.acknowledged(id, undefined);
    expect([...(await first), ...(await second)].map(({ status }) => status)).toEqual(["sent", "sent", "sent", "sent"]);
  });

  test("leaves later batches undecided when one cannot be recorded", async () => {
    const sut = lane();
    sut.open(relay);
    const write = spyOn(db, "write").mockRejectedValueOnce(new Error("disk full"));
    const first = sut.send([text("A")]);
    const second = sut.send([text("A"), text("B")]);
    await expect(first).rejects.toMatchObject({ code: "unavailable" });
    expect(await second).toEqual([{ status: "retry" }, { status: "retry" }]);
    write.mockRestore();
    expect({ relayed, depth: sut.depth }).toEqual({ relayed: [], depth: 0 });
  });

  test("leaves messages undecided when the connection is lost", async () => {
    const sut = lane();
    sut.open(relay);
    const sending = sut.send([text("A"), text("B")]);
    await left("A", "B");
    sut.close();
    expect(await sending).toEqual([{ status: "retry" }, { status: "retry" }]);
    expect(sut.acknowledged("A", undefined)).toBeFalse();
    sut.open(relay);
    const again = sut.send([text("A")]);
    await left("A", "B", "A");
    sut.acknowledged("A", undefined);
    expect(await again).toMatchObject([{ status: "sent" }]);
  });

  test("ignores the late failures of a lost connection", async () => {
    const sut = lane();
    const stuck = Promise.withResolvers<void>();
    sut.open(() => stuck.promise);
    const sending = sut.send([text("A"), text("B")]);
    await until(() => sut.depth === 2);
    sut.close();
    expect(await sending).toEqual([{ status: "retry" }, { status: "retry" }]);

    sut.open(relay);
    const again = sut.send([text("A"), text("B")]);
    await left("A", "B");
    stuck.reject(new Undeliverable("not_on_whatsapp", "the query was never answered"));
    await stuck.promise.catch(() => {});
    sut.acknowledged("A", undefined);
    sut.acknowledged("B", undefined);
    expect(await again).toMatchObject([{ status: "sent" }, { status: "sent" }]);
    expect(ledger.resultOf(business, "A")).toMatchObject({ status: "sent" });
  });

  test("lets no message overtake one that failed", async () => {
    const sut = lane();
    sut.open(async (chat, message, id, transmit) => {
      if (id === "B") throw new Error("no answer to a query");
      await relay(chat, message, id, transmit);
    });
    const sending = sut.send(["A", "B", "C"].map((id) => at("1", id)));
    await left("A");
    sut.acknowledged("A", undefined);
    expect((await sending).map(({ status }) => status)).toEqual(["sent", "retry", "retry"]);
    expect(relayed).toEqual(["A"]);
  });

  test("fails a number without account and goes on", async () => {
    const sut = lane();
    sut.open(async (chat, message, id, transmit) => {
      if (id === "A") throw new Undeliverable("not_on_whatsapp", "no account");
      await relay(chat, message, id, transmit);
    });
    const sending = sut.send([at("1", "A"), at("1", "B")]);
    await left("B");
    sut.acknowledged("B", undefined);
    expect(await sending).toMatchObject([{ status: "failed", error: { code: "not_on_whatsapp" } }, { status: "sent" }]);
  });

  test("fails a message that can never be prepared", async () => {
    const sut = lane();
    sut.open(async () => {
      throw new Error("all encryptions failed");
    });
    const statuses: string[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await sut.send([text("A")]))[0]!.status);
    expect(statuses).toEqual(["retry", "retry", "failed"]);
    expect(ledger.resultOf(business, "A")).toMatchObject({ status: "failed", error: { code: "undeliverable" } });
  });

  test("refuses a batch when it is full", async () => {
    const sut = lane({ capacity: 2 });
    sut.open(relay);
    const first = sut.send([text("A"), text("B")]);
    await left("A", "B");
    await expect(sut.send([text("C")])).rejects.toMatchObject({ code: "rate_limited", retryAfterS: 1 });
    sut.close();
    await first;
  });

  test("has at most `window` messages in flight", async () => {
    const sut = lane({ window: 2 });
    sut.open(relay);
    const sending = sut.send(["A", "B", "C"].map(text));
    await left("A", "B");
    sut.acknowledged("A", undefined);
    await left("A", "B", "C");
    sut.acknowledged("B", undefined);
    sut.acknowledged("C", undefined);
    expect(await sending).toHaveLength(3);
  });

  test("reports an overdue acknowledgement", async () => {
    const sut = lane({ ackDeadlineMs: 5 });
    sut.open(relay);
    const sending = sut.send([text("A")]);
    await until(() => overdue === 1, { what: "the overdue acknowledgement", everyMs: 1 });
    sut.close();
    expect(await sending).toEqual([{ status: "retry" }]);
  });

  test("sends nothing once its owner is fenced", async () => {
    const sut = lane({
      fence: () => {
        throw new Error("fenced off");
      },
    });
    sut.open(relay);
    await expect(sut.send([text("A")])).rejects.toThrow("fenced off");
  });

  test("keeps retrying when its process lost the shard", async () => {
    const sut = lane();
    sut.open(() => Promise.reject(new AppError("unavailable", "Shard 1 is owned by another process now.")));
    for (let n = 0; n < 5; n++) expect(await sut.send([text("A")])).toEqual([{ status: "retry" }]);
  });

  test("records the plaintext before the message leaves", async () => {
    const sut = lane();
    let body: Buffer | undefined;
    sut.open(async (chat, message, id, transmit) => {
      body = ledger.body(business, id);
      await relay(chat, message, id, transmit);
    });
    const sending = sut.send([text("A")]);
    await left("A");
    sut.acknowledged("A", undefined);
    await sending;
    expect(proto.Message.decode(body!).conversation).toBe("A");
  });

  test("settles a result although its listener throws", async () => {
    const sut = lane({
      onResult: () => {
        throw new Error("database or disk is full");
      },
    });
    sut.open(relay);
    const sending = sut.send([text("A")]);
    await left("A");
    expect(() => sut.acknowledged("A", { code: "463" })).toThrow("full");
    expect(await sending).toMatchObject([{ status: "failed" }]);
    expect(ledger.resultOf(business, "A")?.status).toBe("failed");
  });
});

describe("the messages of one chat", () => {
  const burst = Array.from("ABCDEFGHIJ", (id) => at("1", id));
  const prepared: string[] = [];
  const preparing: RelayMessage = async (chat, message, id, transmit) => {
    prepared.push(id);
    await relay(chat, message, id, transmit);
  };
  beforeEach(() => void prepared.splice(0));
  const acknowledge = async (sut: Lane, ids: string) => {
    for (const id of ids) {
      await until(() => relayed.at(-1) === id, { what: `${id} to leave`, everyMs: 1 });
      sut.acknowledged(id, undefined);
    }
  };

  test("are prepared ahead and leave one by one", async () => {
    const sut = lane();
    sut.open(preparing);
    const sending = sut.send(burst);
    await until(() => prepared.length === burst.length, { what: "all to be prepared", everyMs: 1 });
    expect(relayed).toEqual(["A"]);
    await acknowledge(sut, "ABCDEFGHIJ");
    expect((await sending).map(({ status }) => status)).toEqual(burst.map(() => "sent"));
  });

  test("keep their order when the middle is refused", async () => {
    const sut = lane();
    sut.open(preparing);
    const sending = sut.send(burst);
    await until(() => prepared.length === burst.length, { what: "all to be prepared", everyMs: 1 });
    await acknowledge(sut, "ABCD");
    await left("A", "B", "C", "D", "E");
    sut.acknowledged("E", { code: "503" });
    expect((await sending).map(({ status }) => status).join(" ")).toBe(
      `${"sent ".repeat(4)}retry retry retry retry retry retry`,
    );
    expect(relayed.splice(0).join("")).toBe("ABCDE");
    const again = sut.send(burst);
    await acknowledge(sut, "EFGHIJ");
    expect((await again).map(({ status }) => status)).toEqual(burst.map(() => "sent"));
    expect(relayed.join("")).toBe("EFGHIJ");
  });

  test("are not prepared behind a refused one", async () => {
    const sut = lane();
    sut.open(preparing);
    const sending = sut.send(burst);
    await left("A");
    sut.acknowledged("A", { code: "503" });
    await sending;
    prepared.splice(0);
    const again = sut.send(burst);
    await left("A", "A");
    await sut.send([at("2", "K")], Promise.resolve({ status: "retry" }));
    await until(() => relayed.includes("K"), { what: "another chat's message to leave", everyMs: 1 });
    expect(prepared).toEqual(["A", "K"]);
    sut.acknowledged("A", undefined);
    await until(() => prepared.length === burst.length + 1, { what: "the rest to be prepared", everyMs: 1 });
    sut.close();
    await again;
  });

  test("are not sent after the connection was lost", async () => {
    const sut = lane();
    sut.open(preparing);
    const sending = sut.send(burst);
    await until(() => prepared.length === burst.length, { what: "all to be prepared", everyMs: 1 });
    sut.close();
    expect(sut.acknowledged("A", undefined)).toBeFalse();
    expect((await sending).map(({ status }) => status)).toEqual(burst.map(() => "retry"));
    expect(relayed).toEqual(["A"]);
  });

  test("are not overdue while they are held", async () => {
    // Each acknowledgement takes a third of the deadline and more; the rest is a margin for a busy machine.
    const sut = lane({ ackDeadlineMs: 1_500 });
    sut.open(preparing);
    const sending = sut.send(burst.slice(0, 4));
    for (const id of "ABC") {
      await until(() => relayed.at(-1) === id, { what: `${id} to leave`, everyMs: 1 });
      await Bun.sleep(550);
      sut.acknowledged(id, undefined);
    }
    expect(overdue).toBe(0);
    await until(() => overdue === 1, { what: "the overdue acknowledgement", everyMs: 1 });
    sut.close();
    await sending;
  });
});

describe("a temporary failure", () => {
  const refused = new Transient("429", "WhatsApp refused a query for now (429).", 60_000);

  test("of one chat holds only that chat", async () => {
    const sut = lane({ chatWindow: () => 1 });
    sut.open(async (chat, message, id, transmit) => {
      if (chat.startsWith("1")) throw refused;
      await relay(chat, message, id, transmit);
    });
    for (let n = 0; n < 10; n++)
      expect(await sut.send([at("1", "A"), at("1", "B")])).toMatchObject([{ status: "retry" }, { status: "retry" }]);
    const sending = sut.send([at("1", "A"), at("2", "C"), at("1", "B")]);
    await left("C");
    sut.acknowledged("C", undefined);
    expect((await sending).map(({ status }) => status)).toEqual(["retry", "sent", "retry"]);
  });

  test.each(["408", "421", "500", "503"])("in an acknowledgement (%s) holds its chat's rest", async (code) => {
    const sut = lane({ chatWindow: () => 1 });
    sut.open(relay);
    const sending = sut.send([at("1", "A"), at("1", "B"), at("2", "C")]);
    await left("A", "C");
    sut.acknowledged("A", { code });
    sut.acknowledged("C", undefined);
    expect((await sending).map(({ status }) => status)).toEqual(["retry", "retry", "sent"]);
    expect(ledger.resultOf(business, "A")).toBeUndefined();
    const again = sut.send([at("1", "A"), at("1", "B")]);
    await left("A", "C", "A");
    sut.acknowledged("A", undefined);
    await left("A", "C", "A", "B");
    sut.acknowledged("B", undefined);
    expect((await again).map(({ status }) => status)).toEqual(["sent", "sent"]);
  });

  test("of an unknown kind fails only after the patience", async () => {
    const sut = lane({ patienceMs: 60_000 });
    sut.open(() => Promise.reject(new Error("all encryptions failed")));
    for (let n = 0; n < 6; n++) expect(await sut.send([text("A")])).toMatchObject([{ status: "retry" }]);
  });
});
