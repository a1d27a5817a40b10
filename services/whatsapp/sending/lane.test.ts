import { describe, expect, spyOn, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { AppError } from "../../../lib/core/errors.ts";
import { until } from "../../../lib/testing/until.ts";
import { laneBusiness, messageTo, useLanes } from "../testing/lanes.ts";
import { Undeliverable } from "./errors.ts";

const { db, lane, ledger, left, overdue, relay, relayed } = useLanes();

/** A message to a chat of its own. */
const text = (waMessageId: string) => messageTo(waMessageId, waMessageId);

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
    const write = spyOn(db(), "write").mockRejectedValueOnce(new Error("disk full"));
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
    expect(ledger().resultOf(laneBusiness, "A")).toMatchObject({ status: "sent" });
  });

  test("lets no message overtake one that failed", async () => {
    const sut = lane();
    sut.open(async (chat, message, id, transmit) => {
      if (id === "B") throw new Error("no answer to a query");
      await relay(chat, message, id, transmit);
    });
    const sending = sut.send(["A", "B", "C"].map((id) => messageTo("1", id)));
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
    const sending = sut.send([messageTo("1", "A"), messageTo("1", "B")]);
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
    expect(ledger().resultOf(laneBusiness, "A")).toMatchObject({ status: "failed", error: { code: "undeliverable" } });
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
    await until(() => overdue() === 1, { what: "the overdue acknowledgement", everyMs: 1 });
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
      body = ledger().body(laneBusiness, id);
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
    expect(ledger().resultOf(laneBusiness, "A")?.status).toBe("failed");
  });
});
