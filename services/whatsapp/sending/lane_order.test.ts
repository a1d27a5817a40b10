import { beforeEach, describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { laneBusiness, messageTo, useLanes } from "../testing/lanes.ts";
import { Transient } from "./errors.ts";
import type { Lane } from "./lane.ts";
import type { RelayMessage } from "./lane_options.ts";

const { lane, ledger, left, overdue, relay, relayed } = useLanes();

/** A message to a chat of its own. */
const text = (waMessageId: string) => messageTo(waMessageId, waMessageId);

describe("the messages of one chat", () => {
  const burst = Array.from("ABCDEFGHIJ", (id) => messageTo("1", id));
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
    await sut.send([messageTo("2", "K")], Promise.resolve({ status: "retry" }));
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
    expect(overdue()).toBe(0);
    await until(() => overdue() === 1, { what: "the overdue acknowledgement", everyMs: 1 });
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
      expect(await sut.send([messageTo("1", "A"), messageTo("1", "B")])).toMatchObject([
        { status: "retry" },
        { status: "retry" },
      ]);
    const sending = sut.send([messageTo("1", "A"), messageTo("2", "C"), messageTo("1", "B")]);
    await left("C");
    sut.acknowledged("C", undefined);
    expect((await sending).map(({ status }) => status)).toEqual(["retry", "sent", "retry"]);
  });

  test.each(["408", "421", "500", "503"])("in an acknowledgement (%s) holds its chat's rest", async (code) => {
    const sut = lane({ chatWindow: () => 1 });
    sut.open(relay);
    const sending = sut.send([messageTo("1", "A"), messageTo("1", "B"), messageTo("2", "C")]);
    await left("A", "C");
    sut.acknowledged("A", { code });
    sut.acknowledged("C", undefined);
    expect((await sending).map(({ status }) => status)).toEqual(["retry", "retry", "sent"]);
    expect(ledger().resultOf(laneBusiness, "A")).toBeUndefined();
    const again = sut.send([messageTo("1", "A"), messageTo("1", "B")]);
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
