import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createShardMoves } from "../../../lib/contracts/shard/index.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { carry, useShardPairs } from "../testing/shard_pair.ts";
import { control, makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";

const { simulator, createPair } = useShardPairs();

const orderOf = (fence: number, from = 1, to = 2) => ({ move_id: uuidv7(), fence, from, to });

describe("a move", () => {
  test("keeps the login without a QR code or resends", async () => {
    const { source, target, moves, close } = createPair();
    const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
    await makePhone(simulator(), contact);
    await source.shard.pair(simulator(), business, phone);
    const [one, two] = ["one that is read nowhere", "two that is read nowhere"];
    const before = [text(contact, one), text(contact, two)];
    expect((await source.shard.send(business, before)).map(({ status }) => status)).toEqual(["sent", "sent"]);

    const order = orderOf(1);
    await until(async () => {
      for (const stream of ["inbound", "receipts", "events", "identities"] as const) {
        const last = (await source.shard.readJournal(stream)).at(-1);
        if (last) await source.shard.json("POST", `/journal/${stream}/ack`, { through: last.seq });
      }
      return (await moves.stop(source.at, business, order)).journal === 0;
    });
    const bundle = await moves.bundle(source.at, business, order, await moves.key(target.at, business, order));
    for (const plain of [one, two, contact, phone]) expect(Buffer.from(bundle).includes(plain)).toBeFalse();
    // Messages that arrive while no shard is logged in wait at WhatsApp.
    await control(simulator(), "POST", `/phones/${contact}/messages`, { to: phone, text: "while you moved" });
    await moves.take(target.at, business, order, bundle);
    expect(existsSync(join(target.volume, "sessions", business))).toBeFalse();
    await moves.tombstone(source.at, business, order);
    await moves.open(target.at, business, order);
    await target.shard.reaches(business, "open");

    const after = await target.shard.send(business, [...before, text(contact, "three")]);
    expect(after.map(({ status }) => status)).toEqual(["sent", "sent", "sent"]);
    await until(async () => (await screenOf(simulator(), contact)).texts.includes("three"));
    expect(await screenOf(simulator(), contact)).toMatchObject({
      texts: [one, two, "three"],
      duplicates: 0,
      undecryptable: 0,
    });
    await until(async () =>
      (await target.shard.readJournal("inbound")).some(({ data }) => data.text === "while you moved"),
    );
    await close();
  });

  test("carries the contacts' privacy tokens", async () => {
    const { source, target, moves, close } = createPair();
    const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
    await makePhone(simulator(), contact);
    await source.shard.pair(simulator(), business, phone);
    await control(simulator(), "POST", `/phones/${contact}/privacy_tokens`, { to: phone });
    await until(async () => {
      const { devices } = await control<{ devices: { waiting: number }[] }>(simulator(), "GET", `/phones/${phone}`);
      return devices.every(({ waiting }) => waiting === 0);
    });
    const order = orderOf(1);
    await moves.stop(source.at, business, order);
    await carry(moves, source, target, business, order);
    await moves.tombstone(source.at, business, order);
    await moves.open(target.at, business, order);
    await target.shard.reaches(business, "open");
    await control(simulator(), "POST", "/faults", { kind: "token_required", phone });
    const [result] = await target.shard.send(business, [text(contact, "from the other shard")]);
    await control(simulator(), "DELETE", "/faults");
    expect(result).toMatchObject({ status: "sent" });
    await close();
  });

  test("keeps the login closed at the source for ever", async () => {
    const { source, target, moves, restart, close } = createPair();
    const [business, phone] = [uuidv7(), newPhone()];
    await source.shard.pair(simulator(), business, phone);
    const order = orderOf(1);
    await moves.stop(source.at, business, order);
    await carry(moves, source, target, business, order);
    await moves.tombstone(source.at, business, order);
    await restart(source);
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["POST", "/connect", { method: "qr" }],
      ["POST", "/messages", { messages: [text("15550000001", "x")] }],
      ["DELETE", "", undefined],
    ] as const) {
      const answer = await source.shard.request(method, `/sessions/${business}${path}`, body);
      expect([answer.status, answer.headers.get("retry-after")], `${method} ${path}`).toEqual([503, "1"]);
      expect(await answer.text()).toContain("has left for shard 2");
    }
    expect(existsSync(join(source.volume, "sessions", business))).toBeFalse();
    await expect(moves.reopen(source.at, business, order)).rejects.toMatchObject({ code: "conflict" });
    expect(await source.shard.json<{ data: unknown[] }>("GET", "/sessions")).toMatchObject({ data: [] });
    await close();
  });

  test("can be rolled back after a restart", async () => {
    const { source, target, moves, restart, close } = createPair();
    const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
    await makePhone(simulator(), contact);
    await source.shard.pair(simulator(), business, phone);
    const order = orderOf(1);
    await moves.stop(source.at, business, order);
    await restart(source);
    expect((await source.shard.request("GET", `/sessions/${business}`)).status).toBe(503);
    await carry(moves, source, target, business, order);
    await moves.discard(target.at, business, order);
    await moves.reopen(source.at, business, order);
    await source.shard.reaches(business, "open");
    expect((await source.shard.send(business, [text(contact, "still here")]))[0]).toMatchObject({ status: "sent" });
    expect(existsSync(join(target.volume, "arriving", business))).toBeFalse();
    // The late orders of a mover that was suspended during the rollback.
    await expect(moves.stop(source.at, business, order)).rejects.toMatchObject({ code: "conflict" });
    await expect(moves.open(target.at, business, order)).rejects.toMatchObject({ code: "conflict" });
    await close();
  });

  test("allows repeated orders with restarts in between", async () => {
    const { source, target, moves, restart, close } = createPair();
    const [business, phone] = [uuidv7(), newPhone()];
    await source.shard.pair(simulator(), business, phone);
    const order = orderOf(1);
    const bothRestart = async () => {
      await restart(source);
      await restart(target);
    };
    for (let time = 0; time < 2; time++) {
      await moves.stop(source.at, business, order);
      await bothRestart();
    }
    for (let time = 0; time < 2; time++) {
      await carry(moves, source, target, business, order);
      await bothRestart();
      expect((await target.shard.request("GET", `/sessions/${business}`)).status).toBe(503);
    }
    for (let time = 0; time < 2; time++) {
      await moves.tombstone(source.at, business, order);
      await bothRestart();
    }
    for (let time = 0; time < 2; time++) {
      await moves.open(target.at, business, order);
      await target.shard.reaches(business, "open");
      await bothRestart();
    }
    await target.shard.reaches(business, "open");

    // And back again, by a later move.
    const back = orderOf(2, 2, 1);
    await moves.stop(target.at, business, back);
    await carry(moves, target, source, business, back);
    await moves.tombstone(target.at, business, back);
    await moves.open(source.at, business, back);
    await source.shard.reaches(business, "open");
    await close();
  });
});
describe("a bundle", () => {
  /** A login that was stopped at the source, and the order that moves it. */
  async function stopped() {
    const pair = createPair();
    const business = uuidv7();
    await pair.source.shard.pair(simulator(), business, newPhone());
    const order = orderOf(1);
    await pair.moves.stop(pair.source.at, business, order);
    return { ...pair, business, order };
  }

  test("is refused by a shard without its key", async () => {
    const { source, target, moves, close, business, order } = await stopped();
    const foreign = createPair();
    const sealedForAnother = await moves.bundle(
      source.at,
      business,
      order,
      await moves.key(foreign.target.at, business, order),
    );
    await moves.key(target.at, business, order);
    await expect(moves.take(target.at, business, order, sealedForAnother)).rejects.toMatchObject({ code: "conflict" });
    expect(existsSync(join(target.volume, "arriving"))).toBeFalse();
    await foreign.close();
    await close();
  });

  test("needs a key that the target still has", async () => {
    const { source, target, moves, restart, close, business, order } = await stopped();
    const bundle = await moves.bundle(source.at, business, order, await moves.key(target.at, business, order));
    await restart(target);
    await expect(moves.take(target.at, business, order, bundle)).rejects.toMatchObject({ code: "unavailable" });
    await carry(moves, source, target, business, order);
    await close();
  });

  test("of an earlier move is refused", async () => {
    const { source, target, moves, close, business, order } = await stopped();
    const bundle = await moves.bundle(source.at, business, order, await moves.key(target.at, business, order));
    await moves.take(target.at, business, order, bundle);
    await moves.tombstone(source.at, business, order);
    await moves.open(target.at, business, order);
    await target.shard.reaches(business, "open");
    const back = orderOf(2, 2, 1);
    await moves.stop(target.at, business, back);
    await carry(moves, target, source, business, back);
    await moves.tombstone(target.at, business, back);
    await moves.open(source.at, business, back);
    // Under its own order, and under that of a later move to the same shard.
    const again = orderOf(3);
    await moves.stop(source.at, business, again);
    await moves.key(target.at, business, again);
    for (const each of [order, again]) {
      await expect(moves.take(target.at, business, each, bundle)).rejects.toMatchObject({ code: "conflict" });
    }
    expect(existsSync(join(target.volume, "arriving", business))).toBeFalse();
    await close();
  });
});

describe("orders of a move", () => {
  test("work for a business without a login", async () => {
    const { source, target, moves, close } = createPair();
    const business = uuidv7();
    const order = orderOf(1);
    expect(await moves.stop(source.at, business, order)).toEqual({ journal: 0 });
    await carry(moves, source, target, business, order);
    await moves.tombstone(source.at, business, order);
    await moves.open(target.at, business, order);
    await target.shard.pair(simulator(), business, newPhone());
    await close();
  });

  test("are accepted by the right shard and token only", async () => {
    const { source, target, moves, close } = createPair();
    const business = uuidv7();
    await expect(moves.stop(target.at, business, orderOf(1))).rejects.toMatchObject({ code: "conflict" });
    await expect(moves.take(source.at, business, orderOf(1), new Uint8Array(100))).rejects.toMatchObject({
      code: "conflict",
    });
    await expect(moves.key(source.at, business, orderOf(1))).rejects.toMatchObject({ code: "conflict" });
    const foreign = createShardMoves({ token: "another token of the same length" });
    await expect(foreign.stop(source.at, business, orderOf(1))).rejects.toThrow();
    expect((await source.shard.request("POST", `/moves/${business}/stop`, { fence: 0 })).status).toBe(400);
    await close();
  });
});
