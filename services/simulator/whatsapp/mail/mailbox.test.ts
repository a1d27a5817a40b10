import { decodeBinaryNode } from "@whiskeysockets/baileys";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { until } from "../../../../lib/testing/until.ts";
import { Store } from "../store.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { node } from "../wire/stanza.ts";
import { stanzaKey, Mailbox } from "./mailbox.ts";
import type { Recipient } from "./mailbox.ts";

let store: Store;
let mailbox: Mailbox;

beforeEach(() => {
  store = new Store();
  mailbox = new Mailbox("491700000001", 1, store);
});
afterEach(() => store.close());

const [from, lid] = ["1@s.whatsapp.net", "2@lid"];
const message = (id: string, name = from) => node("message", { id, from: name });
const key = (id: string, name = from) => stanzaKey("message", { id, from: name });

/** Logs a device in that requests all of its backlog. Resolves with the length of the backlog. */
async function login(device: Recipient): Promise<number> {
  const length = mailbox.open(device);
  await mailbox.send(device);
  return length;
}

/** Creates a logged-in device that records the stanzas it receives. */
function reader() {
  const stanzas: Promise<BinaryNode>[] = [];
  return {
    deliver: (stanza: Uint8Array) => void stanzas.push(decodeBinaryNode(Buffer.from(stanza))),
    got: async () => (await Promise.all(stanzas)).map(({ attrs }) => [attrs["id"], attrs["offline"] ?? "live"]),
    types: async () => (await Promise.all(stanzas)).map(({ attrs }) => attrs["type"]),
    count: () => stanzas.length,
  };
}

describe("Mailbox", () => {
  test("delivers pending stanzas in order, marked offline", async () => {
    mailbox.put(message("A"));
    mailbox.put(message("B"));
    const device = reader();
    expect(await login(device)).toBe(2);
    expect(await device.got()).toEqual([
      ["A", "0"],
      ["B", "0"],
    ]);
  });

  test("delivers the backlog as requested, later stanzas behind it", async () => {
    for (const id of ["A", "B", "C"]) mailbox.put(message(id));
    const device = reader();
    expect(mailbox.open(device)).toBe(3);
    expect(await mailbox.send(device, 2)).toBe(false);
    mailbox.put(message("D"));
    await store.committed();
    expect(device.count()).toBe(2);
    expect(await mailbox.send(device, 2)).toBe(true);
    expect(await mailbox.send(device, 2)).toBe(false);
    expect(await device.got()).toEqual([
      ["A", "0"],
      ["B", "0"],
      ["C", "0"],
      ["D", "live"],
    ]);
  });

  test("delivers to an online device at once", async () => {
    const device = reader();
    await login(device);
    mailbox.put(message("A"));
    await until(() => device.count() === 1);
    expect(await device.got()).toEqual([["A", "live"]]);
  });

  test("redelivers only unacknowledged stanzas after each login", async () => {
    const first = reader();
    await login(first);
    mailbox.put(message("A"));
    mailbox.put(message("B"));
    await until(() => first.count() === 2);
    expect(mailbox.acknowledge(key("A"))).toBe(true);
    expect(mailbox.acknowledge(key("A"))).toBe(false);
    mailbox.close(first);
    const second = reader();
    await login(second);
    expect(await second.got()).toEqual([["B", "1"]]);
  });

  test("delivers a delayed stanza when it is due", async () => {
    const device = reader();
    await login(device);
    mailbox.put(node("receipt", { id: "A", type: "read" }), { due: Date.now() + 30 });
    mailbox.put(node("receipt", { id: "A" }));
    await until(() => device.count() === 2);
    expect(await device.types()).toEqual([undefined, "read"]);
  });

  test("keeps a repeated receipt whose predecessor is acknowledged", async () => {
    const device = reader();
    await login(device);
    const retry = node("receipt", { id: "A", type: "retry" });
    mailbox.put(retry);
    await until(() => device.count() === 1);
    mailbox.put(retry);
    mailbox.acknowledge(stanzaKey("receipt", { id: "A", type: "retry" }));
    await until(() => device.count() === 2);
    mailbox.acknowledge(stanzaKey("receipt", { id: "A", type: "retry" }));
    expect(mailbox.size).toBe(0);
  });

  test("ignores the close of a replaced connection", async () => {
    const [first, second] = [reader(), reader()];
    await login(first);
    await login(second);
    mailbox.close(first);
    mailbox.put(message("A"));
    await until(() => second.count() === 1);
    expect(first.count()).toBe(0);
  });

  test("withholds the other stanzas behind a refused one", async () => {
    const first = reader();
    await login(first);
    mailbox.put(message("A"));
    mailbox.put(message("B"));
    await until(() => first.count() === 2);
    mailbox.refuse(key("B"));
    mailbox.close(first);
    const second = reader();
    expect(await login(second)).toBe(1);
    mailbox.put(message("C"));
    await store.committed();
    expect(await second.got()).toEqual([["B", "1"]]);
    mailbox.acknowledge(key("B"));
    await until(() => second.count() === 3);
    expect(await second.got()).toEqual([
      ["B", "1"],
      ["A", "1"],
      ["C", "0"],
    ]);
  });

  test("holds a message once per name", async () => {
    mailbox.put(message("A"));
    mailbox.put(message("A", lid));
    mailbox.put(message("A", lid));
    expect(mailbox.size).toBe(2);
    mailbox.acknowledge(key("A"));
    const device = reader();
    expect(await login(device)).toBe(1);
    mailbox.acknowledge(key("A", lid));
    expect(mailbox.size).toBe(0);
  });

  test("holds a group's messages once per sender", async () => {
    const sent = (participant: string) => ({ id: "A", from: "1-2@g.us", participant });
    mailbox.put(node("message", sent("1@lid")));
    mailbox.put(node("message", sent("2@lid")));
    mailbox.put(node("message", sent("2:3@lid")));
    expect(mailbox.size).toBe(2);
    expect(mailbox.acknowledge(stanzaKey("message", sent("2@lid")))).toBe(true);
    const device = reader();
    expect(await login(device)).toBe(1);
  });

  test("loads unacknowledged stanzas from the store", async () => {
    mailbox.put(message("A"));
    mailbox.put(message("B"));
    mailbox.acknowledge(key("A"));
    await store.committed();
    const reopened = new Mailbox("491700000001", 1, store);
    expect(reopened.size).toBe(1);
    expect(new Mailbox("491700000001", 2, store).size).toBe(0);
  });
});
