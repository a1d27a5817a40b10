import { afterEach, beforeEach, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

test("keys of every kind come back as Baileys gave them", async () => {
  const state = new AuthState({ store, fence: unfenced, onFault: noFault });
  const pair = { public: randomBytes(32), private: randomBytes(32) };
  const syncKey = proto.Message.AppStateSyncKeyData.fromObject({ keyData: randomBytes(32) });
  await state.keys.set({
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
  await again.keys.set({ "lid-mapping": { "49151": null } });
  expect(await again.keys.get("lid-mapping", ["49151"])).toEqual({});
});

test("credentials are kept from the moment a phone has linked them, not before", () => {
  const state = new AuthState({ store, fence: unfenced, onFault: noFault });
  state.saveCreds();
  expect(store.read("creds")).toBeUndefined();
  state.creds.account = { details: Buffer.from("x") };
  state.saveCreds();
  const again = reopen();
  expect(again.paired).toBeTrue();
  expect(again.creds.noiseKey.public).toEqual(state.creds.noiseKey.public);
});

test("an owner that was fenced off writes nothing, and says so", async () => {
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
