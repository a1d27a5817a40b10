import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { ending } from "../testing/client.ts";
import { freshPhone, paired } from "../testing/control.ts";
import { jid, simulatorScenario } from "../testing/scenario.ts";
import type { LedgerEntry } from "./ledger.ts";

const scenario = simulatorScenario();

const entriesOf = async (phone: string) => {
  const { body } = await scenario.api.get<{ data: LedgerEntry[] }>("/ledger?after=0");
  return body.data.filter((entry) => entry.phone === phone);
};

describe("the ledger", () => {
  test("names the side that ended a connection", async () => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const first = await openClient(auth);
    const ended = ending(first);
    await api.post("/faults", { kind: "drop", phone });
    await ended;
    const second = await openClient(auth);
    await second.end(undefined);
    await until(async () => (await entriesOf(phone)).length === 4, { what: "both connections to end" });
    expect((await entriesOf(phone)).map((entry) => [entry.event, "by" in entry ? entry.by : undefined])).toEqual([
      ["login", undefined],
      ["ended", "server"],
      ["login", undefined],
      ["ended", "client"],
    ]);
  });

  test("records refusals and messages without content", async () => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    await api.post("/faults", { kind: "ack_refuse", code: 463, phone, times: 1 });
    const sent = await sock.sendMessage(jid(contact), { text: "refused" });
    const body = { to: phone, text: "an ad", companions_get: "unavailable" };
    const ad = await api.post<{ id: string }>(`/phones/${contact}/messages`, body);
    const found = () => entriesOf(phone);
    await until(async () => (await found()).some(({ event }) => event === "resent"), { what: "the content" });
    expect(await found()).toMatchObject([
      { event: "login" },
      { event: "refused", id: sent!.key.id!, code: "463" },
      { event: "withheld", id: ad.body.id, from: contact, as: "unavailable" },
      { event: "resent", id: ad.body.id },
    ]);
  });
});

describe("a companion that never connects", () => {
  test("gets messages in its mailbox until it is removed", async () => {
    const { simulator, api, openClient } = scenario;
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    await api.post("/phones", { phone: contact });
    const { body } = await api.post<{ device: number }>(`/phones/${contact}/companions`, {});
    const sock = await openClient(auth);
    await sock.sendMessage(jid(contact), { text: "to both" });
    const devices = async () =>
      (await api.get<{ devices: { device: number; waiting: number }[] }>(`/phones/${contact}`)).body.devices;
    await until(async () => (await devices())[0]?.waiting === 1, { what: "the companion's message" });
    expect((await api.delete(`/phones/${contact}/companions/${body.device}`)).status).toBe(204);
    expect(await devices()).toEqual([]);
  });
});
