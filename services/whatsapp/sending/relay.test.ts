import { describe, expect, test } from "bun:test";
import type { SignalKeyStore, WASocket } from "@whiskeysockets/baileys";
import { AccountBook } from "../accounts/account_book.ts";
import { Cooldown } from "./cooldown.ts";
import { Failures } from "./failures.ts";
import { Relay } from "./relay.ts";
import { Timers } from "./timers.ts";
import { queryWait } from "./verdicts.ts";

const number = "4915112345678";
const chat = `${number}@s.whatsapp.net`;
const lidChat = "88121234567@lid";
const keys: SignalKeyStore = { get: () => ({}), set: () => {} };

type Answer = Awaited<ReturnType<WASocket["executeUSyncQuery"]>>;

/** A relay whose WhatsApp lists no devices, and gives this answer for the account of a number. */
function withoutDevices(accounts?: Answer) {
  const socket = { getUSyncDevices: async () => [], executeUSyncQuery: async () => accounts };
  const queries = new Cooldown(queryWait);
  const relay = new Relay({
    socket: () => socket as unknown as WASocket,
    keys: { ...keys, get: (type) => (type === "lid-mapping" ? { [number]: "88121234567" } : {}) } as SignalKeyStore,
    me: () => undefined,
    control: { holdOutput: () => {}, endIfSilentSince: () => {} } as never,
    accounts: new AccountBook({ auth: { keys, lookUp: () => undefined }, announce: async () => {} }),
    queries,
    timers: new Timers({ store: () => undefined, keys }),
    contactSalt: () => undefined,
    handedAt: () => undefined,
    setRecipients: async () => {},
  });
  const send = (to: string) =>
    relay
      .send(to, { conversation: "x" }, "A", async () => {})
      .then(
        () => undefined,
        (error: unknown) => error,
      );
  return { send, queries };
}

describe("an account without devices", () => {
  test.each([
    ["a LID", lidChat, undefined],
    ["a number", chat, { list: [{ id: chat, contact: { exists: true, asked: number } }], sideList: [] }],
  ])("of %s fails its message after three attempts", async (_name, to, answer) => {
    const { send, queries } = withoutDevices(answer);
    const failures = new Failures(0);
    const scopes: string[] = [];
    for (let attempt = 0; attempt < 3; attempt++) scopes.push(failures.of("A", await send(to)).scope);
    expect(scopes).toEqual(["chat", "chat", "message"]);
    expect(queries.hasRefusals).toBeFalse();
  });

  test("of an unregistered number fails at once", async () => {
    const { send } = withoutDevices({ list: [], sideList: [] });
    expect(new Failures(0).of("A", await send(chat))).toMatchObject({
      scope: "message",
      error: { code: "not_on_whatsapp" },
    });
  });

  test("holds queries if WhatsApp does not answer", async () => {
    const { send, queries } = withoutDevices();
    const failure = new Failures(0).of("A", await send(chat));
    expect(failure).toMatchObject({ scope: "chat", result: { error: { code: "408" } } });
    expect(queries.isActive).toBeTrue();
  });
});
