import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import type { SignalDataSet } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../../lib/testing/until.ts";
import { OwnershipUnconfirmed, ShardLost } from "../volume/owner.ts";
import { AuthState } from "./auth_state.ts";
import { AuthStore } from "./auth_store.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";

const business = "0190b2a0-0000-7000-8000-000000000001";
const ring = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const unfenced = () => {};
const noFault = (error: unknown) => {
  throw error;
};

let folder: string;
let store: AuthStore;
/** Sets keys, and resolves when they are on the disk. */
const change = async (state: AuthState, data: SignalDataSet) => {
  let durable = Promise.resolve();
  state.beforeCommit = (promise) => {
    durable = promise;
  };
  await state.keys.set(data);
  await durable;
};
const reopen = () => {
  store.close();
  store = AuthStore.open(join(folder, "auth.db"), business, ring);
  return new AuthState({ store, fence: unfenced, onFault: noFault });
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "auth-state-"));
  store = AuthStore.open(join(folder, "auth.db"), business, ring);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

describe("the auth state", () => {
  test("returns keys of every kind as Baileys gave them", async () => {
    const state = new AuthState({ store, fence: unfenced, onFault: noFault });
    const pair = { public: randomBytes(32), private: randomBytes(32) };
    const syncKey = proto.Message.AppStateSyncKeyData.fromObject({ keyData: randomBytes(32) });
    await change(state, {
      "pre-key": { "1": pair },
      "lid-mapping": { "49151": "8812" },
      "device-list": { "49151": ["0", "3"] },
      "app-state-sync-key": { k: syncKey },
      "identity-key": { a: randomBytes(33) },
    });
    const again = reopen();
    expect(await again.keys.get("pre-key", ["1", "2"])).toEqual({ "1": pair });
    expect(await again.keys.get("lid-mapping", ["49151"])).toEqual({ "49151": "8812" });
    expect(await again.keys.get("device-list", ["49151"])).toEqual({ "49151": ["0", "3"] });
    expect((await again.keys.get("app-state-sync-key", ["k"]))["k"]?.keyData).toEqual(syncKey.keyData);
    const gone = change(again, { "lid-mapping": { "49151": null } });
    expect(await again.keys.get("lid-mapping", ["49151"])).toEqual({});
    await gone;
    expect(await reopen().keys.get("lid-mapping", ["49151"])).toEqual({});
  });

  test.each(["account-spelling", "lid-mapping"])("reads an absent %s once until it is set", async (type) => {
    const state = new AuthState({ store, fence: unfenced, onFault: noFault });
    const read = spyOn(store, "read");
    for (let n = 0; n < 3; n++) expect(state.lookUp(type, "49151")).toBeUndefined();
    expect(read).toHaveBeenCalledTimes(1);
    await change(state, { [type]: { "49151": "8812" } });
    expect(state.lookUp(type, "49151")).toBe("8812");
    await change(state, { [type]: { "49151": null } });
    expect(state.lookUp(type, "49151")).toBeUndefined();
    read.mockRestore();
    expect(reopen().lookUp(type, "49151")).toBeUndefined();
  });

  test("evicts absent values like the others", () => {
    const state = new AuthState({ store, fence: unfenced, onFault: noFault });
    const read = spyOn(store, "read");
    const numbers = Array.from({ length: 300 }, (_, n) => `${49_151_000 + n}`);
    for (const number of [...numbers, numbers[0]!]) state.lookUp("account-spelling", number);
    expect(read).toHaveBeenCalledTimes(301);
    read.mockRestore();
  });

  test("stores credentials only once a phone has linked", () => {
    const state = new AuthState({ store, fence: unfenced, onFault: noFault });
    state.saveCreds();
    expect(store.read("creds")).toBeUndefined();
    state.creds.account = { details: Buffer.from("x") };
    state.saveCreds();
    const again = reopen();
    expect(again.paired).toBeTrue();
    expect(again.creds.noiseKey.public).toEqual(state.creds.noiseKey.public);
  });

  test("refuses writes of a fenced owner", async () => {
    const faults: unknown[] = [];
    const state = new AuthState({
      store,
      fence: () => {
        throw new Error("another process owns this shard");
      },
      onFault: (error) => void faults.push(error),
    });
    expect(() => state.keys.set({ "lid-mapping": { a: "b" } })).toThrow("another process owns this shard");
    expect(store.read("lid-mapping:a")).toBeUndefined();
    expect(await state.keys.get("lid-mapping", ["a"])).toEqual({});
    expect(faults).toHaveLength(1);
  });

  describe("while Consul has to confirm the ownership", () => {
    let error: Error | undefined;
    let attempts: number;
    let faults: unknown[];
    let state: AuthState;
    beforeEach(() => {
      error = new OwnershipUnconfirmed(1);
      attempts = 0;
      faults = [];
      const fence = () => {
        attempts += 1;
        if (error !== undefined) throw error;
      };
      state = new AuthState({ store, fence, onFault: (fault) => void faults.push(fault) });
      state.creds.account = { details: Buffer.from("x") };
    });

    test("keeps changes in memory and writes them afterwards", async () => {
      const durable = change(state, { "lid-mapping": { a: "b" } });
      state.saveCreds();
      await until(() => attempts > 4);
      expect([store.read("lid-mapping:a"), store.read("creds")]).toEqual([undefined, undefined]);
      error = undefined;
      await durable;
      expect(faults).toEqual([]);
      const again = reopen();
      expect(await again.keys.get("lid-mapping", ["a"])).toEqual({ a: "b" });
      expect(again.paired).toBeTrue();
    });

    test("drops them once another process owns the shard", async () => {
      void change(state, { "lid-mapping": { a: "b" } }).catch(() => {});
      error = new ShardLost(1);
      await until(() => faults.length === 1);
      expect(store.read("lid-mapping:a")).toBeUndefined();
    });
  });

  test("commits one event-loop turn at once, latest values only", async () => {
    const state = new AuthState({ store, fence: unfenced, onFault: noFault });
    const commits: Promise<void>[] = [];
    state.beforeCommit = (durable) => void commits.push(durable);
    const writes: string[][] = [];
    const write = store.write.bind(store);
    store.write = (changes) => {
      const all = [...changes];
      writes.push(all.map(([name]) => name));
      write(all);
    };
    for (const device of ["0", "1", "2"]) await state.keys.set({ "device-list": { a: [device] } });
    await state.keys.set({ "lid-mapping": { b: "c" }, "pre-key": { "7": null } });
    expect(await state.keys.get("device-list", ["a"])).toEqual({ a: ["2"] });
    expect(writes).toEqual([]);
    await Promise.all(commits);
    expect(commits).toHaveLength(1);
    expect(writes).toEqual([["device-list:a", "lid-mapping:b", "pre-key:7"]]);
    expect(await reopen().keys.get("device-list", ["a"])).toEqual({ a: ["2"] });
  });

  test("writes earlier key changes with the credentials", async () => {
    const state = new AuthState({ store, fence: unfenced, onFault: noFault });
    state.creds.account = { details: Buffer.from("x") };
    await state.keys.set({ "lid-mapping": { a: "b" } });
    state.saveCreds();
    expect(await reopen().keys.get("lid-mapping", ["a"])).toEqual({ a: "b" });
  });

  test("reports a failed write and rejects the commit", async () => {
    const faults: unknown[] = [];
    const state = new AuthState({ store, fence: unfenced, onFault: (error) => void faults.push(error) });
    store.write = () => {
      throw new Error("database or disk is full");
    };
    await expect(change(state, { "lid-mapping": { a: "b" } })).rejects.toThrow("disk is full");
    await until(() => faults.length === 1);
  });

  test("writes nothing once the connection is over", async () => {
    const state = new AuthState({ store, fence: unfenced, onFault: noFault });
    const changing = change(state, { "lid-mapping": { a: "b" } });
    state.revoke();
    await expect(changing).rejects.toThrow("has ended");
    expect(() => state.keys.set({ "lid-mapping": { c: "d" } })).toThrow("has ended");
    expect(await reopen().keys.get("lid-mapping", ["a", "c"])).toEqual({});
  });
});
