import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { limitsOf } from "../../../lib/contracts/shard/pacing.ts";
import { AuthStore } from "../auth/auth_store.ts";
import { BatchPacer } from "./batch_pacer.ts";
import { Pacer } from "./pacer.ts";

const business = "0190b2a0-0000-7000-8000-000000000001";
const ring = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const newChat = { firstContact: true, bulk: true };
const urgent = { firstContact: true, bulk: false };
const answer = { firstContact: false, bulk: true };
const limits = limitsOf({ warm_up_days: 0 }, true);

let folder: string;
let store: AuthStore | undefined;
let now: number;
let stops: object[];
const open = () => {
  store = AuthStore.open(join(folder, "auth.db"), business, ring);
};
const pacer = () =>
  new Pacer({ store: () => store, onStop: (stop) => void stops.push(stop), now: () => now, chance: () => 0.5 });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pacer-"));
  now = 1_000_000;
  stops = [];
  open();
});
afterEach(() => {
  store?.close();
  rmSync(folder, { recursive: true });
});

describe("the pacer", () => {
  test("keeps the pace across restarts", () => {
    const before = pacer();
    expect(before.admit(limits, newChat)).toBeUndefined();
    before.refused("463");
    store?.close();
    open();
    now += 3_000;
    const after = pacer();
    expect(after.admit(limits, newChat)).toEqual({ notBefore: 1_000_000 + 3_600_000, holds: "first_contacts" });
    expect(after.state(limits)).toEqual({
      whatsapp: null,
      warmth: 1,
      next_at: null,
      next_first_contact_at: new Date(4_600_000).toISOString(),
      broadcasts: { next_at: null, next_first_contact_at: new Date(4_600_000).toISOString() },
      first_contacts_today: 1,
      stops: [
        {
          holds: "first_contacts",
          code: "463",
          since: new Date(1_000_000).toISOString(),
          until: new Date(4_600_000).toISOString(),
        },
      ],
    });
  });

  test("starts over for another login", () => {
    const one = pacer();
    one.admit(limits, answer);
    expect(one.admit(limits, answer)).toBeDefined();
    store?.close();
    rmSync(join(folder, "auth.db"));
    open();
    expect(one.admit(limits, answer)).toBeUndefined();
  });

  test("reports a stop once, and lifts it on request", () => {
    const one = pacer();
    one.refused("429");
    one.refused("429");
    one.refused("479");
    expect(stops).toEqual([{ holds: "everything", code: "429", until: 1_900_000 }]);
    expect(one.admit(limits, answer)).toMatchObject({ holds: "everything" });
    one.resume();
    expect(one.state(limits).stops).toEqual([]);
    expect(one.admit(limits, answer)).toBeUndefined();
    one.refused("429");
    expect(stops[1]).toMatchObject({ until: 1_000_000 + 1_800_000 });
  });

  test("applies higher limits to the next message", () => {
    const one = pacer();
    one.admit({ ...limits, messages_per_minute: 1 }, answer);
    expect(one.admit({ ...limits, messages_per_minute: 1 }, answer)).toMatchObject({ notBefore: 1_060_000 });
    expect(one.admit({ ...limits, messages_per_minute: 60 }, answer)).toBeUndefined();
    expect(one.admit({ ...limits, messages_per_minute: 60 }, answer)).toMatchObject({ notBefore: 1_001_000 });
  });

  test("counts a batch's new chat once", () => {
    const one = pacer();
    const lastOne = { ...limits, first_contacts_per_day: 1 };
    const turn = new BatchPacer(one, lastOne);
    expect([turn.admit("new", urgent), turn.admit("new", urgent)]).toEqual([undefined, undefined]);
    expect(one.state(lastOne).first_contacts_today).toBe(1);
    expect(turn.admit("another", urgent)).toMatchObject({ holds: "first_contacts" });
  });

  test("survives a clock that was ahead", () => {
    const one = pacer();
    now += 3_600_000;
    expect(one.admit(limits, newChat)).toBeUndefined();
    now -= 3_600_000;
    const { next_at, next_first_contact_at, broadcasts } = one.state(limits);
    expect([next_at, next_first_contact_at, broadcasts.next_at]).toEqual([null, null, null]);
    expect(one.admit(limits, urgent)).toBeUndefined();
    expect(one.state(limits).first_contacts_today).toBe(2);
  });
});
