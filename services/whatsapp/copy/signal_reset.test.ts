import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { AuthStore } from "../auth/auth_store.ts";
import { claimVolume } from "../volume/volume.ts";
import type { Volume } from "../volume/volume.ts";
import { resetVolume } from "./signal_reset.ts";

const keys = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const noPause = () => Promise.resolve();
let volume: Volume;

function withStore<T>(folder: string, business: string, use: (store: AuthStore) => T): T {
  const store = AuthStore.open(volume.file(folder, business, "auth.db"), business, keys);
  try {
    return use(store);
  } finally {
    store.close();
  }
}

beforeEach(() => {
  volume = claimVolume(mkdtempSync(join(tmpdir(), "reset-")), 1);
});
afterEach(() => {
  volume.release();
  rmSync(volume.path, { recursive: true });
});

describe("resetVolume", () => {
  test("deletes the Signal sessions of every login", async () => {
    const kept = JSON.stringify({ me: { id: "5511900000001:3@s.whatsapp.net" } });
    for (const folder of ["sessions", "arriving"]) {
      withStore(folder, "bakery", (store) =>
        store.write([
          ["creds", Buffer.from(kept)],
          ["session:5511987654321.0", Buffer.from("ratchet")],
          ["sender-key:1@g.us::5511900000001_1::3", Buffer.from("own")],
          ["sender-key:1@g.us::5511987654321_1::0", Buffer.from("a member's")],
          ["pre-key:1", Buffer.from("pre-key")],
        ]),
      );
    }
    await resetVolume(volume, keys, noPause);
    for (const folder of ["sessions", "arriving"]) {
      const names = withStore(folder, "bakery", (store) => store.names()).filter((name) => /^[a-z]/.test(name));
      expect(names.toSorted()).toEqual(
        expect.arrayContaining(["creds", "pre-key:1", "sender-key:1@g.us::5511987654321_1::0"]),
      );
      expect(names.some((name) => name.startsWith("session:") || name.includes("5511900000001_1"))).toBeFalse();
    }
  });

  test("skips a damaged login", async () => {
    mkdirSync(volume.file("sessions", "damaged"), { recursive: true });
    await Bun.write(volume.file("sessions", "damaged", "auth.db"), "no database");
    withStore("sessions", "sound", (store) => store.write([["session:1.0", Buffer.from("ratchet")]]));
    await resetVolume(volume, keys, noPause);
    expect(withStore("sessions", "sound", (store) => store.read("session:1.0"))).toBeUndefined();
  });

  test("accepts a volume without logins", async () => {
    await resetVolume(volume, keys, noPause);
  });
});
