import { describe, expect, test } from "bun:test";
import { needlessLogins } from "./needless_logins.ts";

const account = { phone: "15510000000", device: 1 };
const login = (at: number, more: object = {}) => ({ event: "login", seq: at, at, ...account, ...more }) as const;
const ended = (at: number, by: "server" | "client") => ({ event: "ended", seq: at, at, ...account, by }) as const;
const none = { deaths: [], outages: [] };

describe("needless logins", () => {
  test("follow a connection that the client ended", () => {
    expect(needlessLogins([login(1), ended(5_000, "client"), login(6_000)], none)).toHaveLength(1);
  });

  test("exclude those after a fault of the server", () => {
    expect(needlessLogins([login(1), ended(5_000, "server"), login(6_000)], none)).toHaveLength(0);
  });

  test("exclude those after a death", () => {
    const events = [login(1_000), ended(9_000, "client"), login(9_500)];
    expect(needlessLogins(events, { ...none, deaths: [5_000] })).toHaveLength(0);
    expect(needlessLogins(events, { ...none, deaths: [500, 9_800] })).toHaveLength(1);
  });

  test("exclude those after a full disk", () => {
    const events = [login(1_000), ended(9_000, "client"), login(20_000)];
    expect(needlessLogins(events, { ...none, outages: [{ from: 8_000, to: 15_000 }] })).toHaveLength(0);
    expect(needlessLogins(events, { ...none, outages: [{ from: 9_001, to: 15_000 }] })).toHaveLength(1);
  });

  test("are counted for each device", () => {
    const other = { phone: "15510000001" };
    expect(needlessLogins([login(1), ended(5_000, "client"), login(6_000, other)], none)).toHaveLength(0);
  });
});
