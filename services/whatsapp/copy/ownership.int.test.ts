import { describe, expect, test } from "bun:test";
import { cpSync, renameSync, rmSync } from "node:fs";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { testConsulAddr } from "../../../lib/testing/servers.ts";
import { until } from "../../../lib/testing/until.ts";
import { proxyTo } from "../testing/proxy.ts";
import { kill } from "../testing/shard_process.ts";
import type { ShardProcess } from "../testing/shard_process.ts";
import { makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";
import { copyScenario } from "./testing/copy_scenario.ts";

const scenario = copyScenario();

const consulProxy = () => {
  const [host, port] = testConsulAddr().split(":");
  return proxyTo(host!, Number(port));
};

const lostVolume = async (env: Record<string, string> = {}) => {
  const { launch, shards, emptyVolume } = scenario;
  const business = uuidv7();
  const first = launch("copied", shards.volume, env);
  await first.pair(shards.simulator, business, newPhone());
  await scenario.complete();
  await scenario.upToDate(first);
  return { business, first, elsewhere: emptyVolume() };
};

describe("a former owner", () => {
  test("stops when it was suspended during a restore", async () => {
    const { business, first, elsewhere } = await lostVolume();
    first.process.kill("SIGSTOP");
    await scenario.expireOwner();
    const second = scenario.launch("copied", elsewhere);
    await second.reaches(business, "open");
    const replaced = await scenario.replacedLogins();
    first.process.kill("SIGCONT");
    expect(await first.exited).toBe(1);
    expect(await second.view(business)).toMatchObject({ status: "open" });
    expect(await scenario.replacedLogins()).toBe(replaced);
  });

  test("is refused on its volume after a restore", async () => {
    const { business, first, elsewhere } = await lostVolume();
    await kill(first);
    await scenario.expireOwner();
    const second = scenario.launch("copied", elsewhere);
    await second.reaches(business, "open");
    await kill(second);
    await scenario.expireOwner();
    const standby = async (durability: "copied" | "local") => {
      const returned = scenario.launch(durability);
      const standsBy = () => returned.log().includes("the shard was restored to another volume");
      await until(standsBy, { what: `the standby (${durability})` });
      expect((await returned.request("GET", "/health")).status).toBe(200);
      expect((await returned.request("GET", "/ready")).status).toBe(503);
      return returned;
    };
    await kill(await standby("local"));
    await standby("copied");
    // A process that stands by does not take the lock.
    await scenario.launch("copied", elsewhere).reaches(business, "open");
    expect(await scenario.replacedLogins()).toBe(0);
  });
});

describe("a discarded copy", () => {
  test.each(["copied", "local"] as const)("resets the Signal sessions of the volume (%s)", async (durability) => {
    const { database, launch, shards } = scenario;
    const contact = newPhone();
    await makePhone(shards.simulator, contact);
    const { business, first } = await lostVolume();
    expect((await first.send(business, [text(contact, "before")]))[0]?.status).toBe("sent");
    await kill(first);
    const stale = `${shards.volume}-stale`;
    cpSync(shards.volume, stale, { recursive: true });
    const second = launch("copied");
    await second.reaches(business, "open");
    expect((await second.send(business, [text(contact, "used keys")]))[0]?.status).toBe("sent");
    await kill(second);
    // The owner's volume is lost; a copy of its files from before is mounted, and the operator discards the copy.
    rmSync(shards.volume, { recursive: true });
    renameSync(stale, shards.volume);
    await database.owner`delete from shard_copies where shard = ${shards.index + 1}`;
    await scenario.expireLock();
    const third = launch(durability);
    await third.reaches(business, "open");
    expect((await third.send(business, [text(contact, "after")]))[0]?.status).toBe("sent");
    const shown = async () => (await screenOf(shards.simulator, contact)).texts;
    await until(async () => (await shown()).length >= 3, { what: "every message on the phone" });
    expect(await shown()).toEqual(["before", "used keys", "after"]);
  });
});

describe("a restore", () => {
  test("waits until the owner's lease has ended", async () => {
    const consul = await consulProxy();
    const { business, first, elsewhere } = await lostVolume({ CONSUL_HTTP_ADDR: `127.0.0.1:${consul.port}` });
    consul.stop();
    await scenario.expireLock();
    const second = scenario.launch("copied", elsewhere);
    await until(() => second.log().includes("the former owner's lease has to end first"), { what: "the wait" });
    expect(await first.view(business)).toMatchObject({ status: "open" });
    await kill(first);
    await scenario.expireLease();
    await second.reaches(business, "open");
    expect(await scenario.replacedLogins()).toBe(0);
  });

  test("is executed by one of two processes", async () => {
    const { business, first, elsewhere } = await lostVolume();
    await kill(first);
    await scenario.expireOwner();
    const rivals = [scenario.launch("copied", elsewhere), scenario.launch("copied", scenario.emptyVolume())];
    const standsBy = (rival: ShardProcess) => rival.log().includes("is owned by another process");
    const loser = await until(() => rivals.find(standsBy), { what: "a rival that stands by" });
    await rivals.find((rival) => rival !== loser)!.reaches(business, "open");
    expect(await scenario.replacedLogins()).toBe(0);
  });

  test("starts again after a kill", async () => {
    const { business, first, elsewhere } = await lostVolume();
    await kill(first);
    await scenario.expireOwner();
    const second = scenario.launch("copied", elsewhere);
    await until(() => second.log().includes("claimed the copy"), { what: "the claim", everyMs: 1 });
    await kill(second);
    await scenario.expireLock();
    await scenario.launch("copied", elsewhere).reaches(business, "open");
  });

  test.each(["gap", "torn snapshot", "no snapshot", "unfinished snapshot"])(
    "refuses a copy with a %s",
    async (fault) => {
      const { first, elsewhere } = await lostVolume();
      await kill(first);
      const { database, shards, storage } = scenario;
      const shard = shards.index + 1;
      const { snapshot_key: key } = await scenario.copy();
      const file = `${storage}/${key}`;
      if (fault === "gap") {
        await database.owner`update shard_copies set tail_seq = tail_seq + 2 where shard = ${shard}`;
        await database.owner`
        insert into shard_tail select shard, tail_seq, 'k1', 'x' from shard_copies where shard = ${shard}`;
      } else if (fault === "torn snapshot") {
        await Bun.write(file, (await Bun.file(file).bytes()).subarray(0, -100));
      } else if (fault === "no snapshot") rmSync(file);
      else await database.owner`update shard_copies set complete = false where shard = ${shard}`;
      await scenario.expireOwner();
      const second = scenario.launch("copied", elsewhere);
      const refused = /lacks row|truncated|altered|not in the storage|has a gap/;
      await until(() => refused.test(second.log()), { what: "the refusal" });
      if (fault === "unfinished snapshot") {
        await until(() => second.log().includes("the shard stands by"), { what: "the standby" });
        expect((await second.request("GET", "/ready")).status).toBe(503);
      } else expect(await second.exited).toBe(1);
      expect(second.log()).not.toContain("restored the shard");
    },
  );
});

describe("a shard that died before its first row", () => {
  test("starts on a new volume", async () => {
    const { database, shards, launch, emptyVolume } = scenario;
    const volume = crypto.randomUUID();
    await database.owner`
      insert into shard_copies
        (shard, epoch, volume, state, complete, exact, leased_until, appended_at, tail_seq, tail_bytes)
      values (${shards.index + 1}, 1, ${volume}, 'live', false, false, now(), now(), 0, 0)`;
    const shard = launch("copied", emptyVolume());
    await shard.pair(shards.simulator, uuidv7(), newPhone());
    expect(await scenario.complete()).toMatchObject({ epoch: 2 });
  });
});

describe("an owner", () => {
  const behindProxies = async (durability: "copied" | "required") => {
    const { launch, shards, database } = scenario;
    const [business, phone] = [uuidv7(), newPhone()];
    const at = new URL(database.ownerUrl);
    const consul = await consulProxy();
    const postgres = await proxyTo(at.hostname, Number(at.port));
    at.port = String(postgres.port);
    at.searchParams.set("role", "prosaas_shards");
    const shard = launch(durability, shards.volume, {
      CONSUL_HTTP_ADDR: `127.0.0.1:${consul.port}`,
      DATABASE_URL_POOLER: at.toString(),
    });
    await shard.pair(shards.simulator, business, phone);
    await scenario.complete();
    const reconnect = () => {
      const { hostname, port: target } = new URL(database.ownerUrl);
      return proxyTo(hostname, Number(target), postgres.port);
    };
    return { shard, business, phone, consul, postgres, reconnect };
  };

  test("closes its sessions without Consul and Postgres", async () => {
    const { shard, phone, consul, postgres } = await behindProxies("copied");
    consul.stop();
    postgres.stop();
    expect(await shard.exited).toBe(1);
    expect(shard.log()).toContain("neither Postgres nor Consul confirmed its lease in time");
    const leaseEndsAt = Date.now() + (await scenario.copy()).lease_left_ms;
    const { ledger } = scenario.shards.simulator.simulation;
    const end = ledger.after(0, Infinity).findLast((entry) => entry.event === "ended" && entry.phone === phone);
    // A successor may begin only then.
    expect(end!.at).toBeLessThan(leaseEndsAt);
  });

  test("sends without Postgres, and catches up (copied)", async () => {
    const { shard, business, postgres, reconnect } = await behindProxies("copied");
    const contact = newPhone();
    await makePhone(scenario.shards.simulator, contact);
    await scenario.upToDate(shard);
    const { tail_seq: before } = await scenario.copy();
    postgres.stop();
    expect((await shard.send(business, [text(contact, "without Postgres")]))[0]?.status).toBe("sent");
    const restored = await reconnect();
    await until(async () => (await scenario.copy()).tail_seq > before, { what: "the copy" });
    await scenario.upToDate(shard);
    expect((await scenario.copy()).complete).toBeTrue();
    restored.stop();
  });

  test("sends nothing until Postgres has it (required)", async () => {
    const { shard, business, postgres, reconnect } = await behindProxies("required");
    const { simulator } = scenario.shards;
    const contact = newPhone();
    await makePhone(simulator, contact);
    postgres.stop();
    const sending = shard.deliver(business, [text(contact, "with Postgres")]);
    await until(() => shard.log().includes("Postgres does not take the copy"), { what: "a refused append" });
    expect((await screenOf(simulator, contact)).texts).toEqual([]);
    const restored = await reconnect();
    expect((await sending)[0]?.status).toBe("sent");
    expect((await screenOf(simulator, contact)).texts).toEqual(["with Postgres"]);
    restored.stop();
  });
});
