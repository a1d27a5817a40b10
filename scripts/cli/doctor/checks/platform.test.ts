import { describe, expect, test } from "bun:test";
import type { ClosedSessions } from "../../../../lib/db/index.ts";
import { endRule } from "../../../../services/whatsapp/session/ends.ts";
import { judgeQueues } from "./queues.ts";
import { judgeJournals, judgeQuarantine, judgeSessions, judgeStops } from "./sessions.ts";
import { judgeSettings } from "./settings.ts";

const now = Date.UTC(2027, 0, 1);
const closed = (over: Partial<ClosedSessions> = {}): ClosedSessions => ({
  status: "banned",
  reason: "too many messages",
  sessions: 2,
  since: new Date(now - 3 * 3_600_000),
  business_id: "b1",
  ...over,
});
const found = (faults: readonly { found: string }[]) => faults.map((fault) => fault.found);
const sessions = (...all: ClosedSessions[]) => found(judgeSessions({ closed: all, now }));

describe("sessions", () => {
  test("that need attention are counted by reason", () => {
    expect(sessions(closed(), closed({ status: "auth_error", reason: null, sessions: 1 }))).toEqual([
      "2 linked sessions down as banned (too many messages), first 3 h ago.",
      "1 linked session down as auth_error, first 3 h ago.",
    ]);
  });

  test("that just closed or were stopped are healthy", () => {
    expect(sessions(closed({ since: new Date(now - 30_000) }))).toEqual([]);
    expect(sessions(closed({ status: "disconnected", reason: "stopped on request" }))).toEqual([]);
  });

  test("refused for the client version are one finding", () => {
    const rule = endRule({ code: 405, source: "failure" });
    if (rule.next !== "retry") throw new Error("405 is retried");
    const refused = { reason: rule.reason, since: new Date(now) };
    const faults = judgeSessions({ closed: [closed(refused), closed({ ...refused, status: "connecting" })], now });
    expect(faults).toEqual([
      {
        severity: "error",
        found: "WhatsApp has retired the client version (405): 4 sessions cannot log in.",
        help: "Set a newer version: task wa:version SET=2.3000.…",
      },
    ]);
  });

  test("that WhatsApp stopped from sending are named", () => {
    const stop = { holds: "first_contacts", code: "463", until: "2027-01-02T00:00:00.000Z" };
    expect(found(judgeStops([{ business_id: "b1", stops: [stop] }]))).toEqual([
      "WhatsApp stopped messages to new chats of business b1 until 2027-01-02T00:00:00.000Z (code 463).",
    ]);
    expect(judgeStops([{ business_id: "b1", stops: [] }])).toEqual([]);
  });
});

describe("journals", () => {
  test("that grow are named", () => {
    const journal = (entries: number | null) => found(judgeJournals([{ shard: 2, journal: entries }]));
    expect(journal(5_000)).toEqual(["The journal of shard 2 has 5000 entries that Postgres lacks."]);
    expect([journal(500), journal(null)]).toEqual([[], []]);
  });

  test("with quarantined entries are named", () => {
    expect(judgeQuarantine({ entries: 0, isMore: false })).toEqual([]);
    expect(found(judgeQuarantine({ entries: 1, isMore: false }))[0]).toContain("holds 1 entry of journals");
    expect(found(judgeQuarantine({ entries: 100, isMore: true }))[0]).toContain("holds more than 100 entries");
  });
});

describe("queues", () => {
  const queue = (over: object) => [{ queue: "media", group: "low", waiting: 3, dead: 0, oldest_ms: 60_000, ...over }];

  test("with work in time are healthy", () => {
    expect(judgeQueues(queue({}))).toEqual([]);
    expect(judgeQueues(queue({ oldest_ms: null }))).toEqual([]);
  });

  test("with late jobs are named, by their group", () => {
    expect(found(judgeQueues(queue({ queue: "high", group: "high" })))).toEqual([
      "The oldest of 3 jobs in queue high waits for 60 s.",
    ]);
    expect(found(judgeQueues(queue({ oldest_ms: 1_800_000 })))[0]).toContain("waits for 30 min");
  });

  test("with dead letters are named", () => {
    const [fault] = judgeQueues(queue({ dead: 1 }));
    expect(fault?.found).toBe("Queue media has 1 dead letter.");
    expect(fault?.help).toContain("task dead -- media --replay-all");
  });
});

describe("settings", () => {
  test("that are refused are named", () => {
    const message = "must be a URL";
    expect(found(judgeSettings([{ path: "nomad/jobs", item: "PUBLIC_URL", message }]))).toEqual([
      "Item PUBLIC_URL of the Nomad Variable nomad/jobs is wrong: must be a URL.",
    ]);
  });
});
