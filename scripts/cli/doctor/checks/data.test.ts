import { describe, expect, test } from "bun:test";
import { judgeConnections, judgeIndexes, judgePostgres, judgeRedis, judgeReplica } from "./data.ts";
import { judgeCertificate, judgeMaintenance, judgeReference } from "./edge.ts";
import type { CertificateNow } from "./edge.ts";

const brief = (faults: readonly { severity: string; found: string }[]) =>
  faults.map(({ severity, found }) => [severity, found]);

describe("Postgres", () => {
  test("that answers with free connections is healthy", () => {
    expect(judgePostgres({ open: 79, limit: 100 })).toEqual([]);
  });

  test.each([
    [{ unreachable: "connect ECONNREFUSED" }, "error", "Postgres does not answer: connect ECONNREFUSED."],
    [{ open: 80, limit: 100 }, "warning", "Postgres has 80 of 100 connections open (80 %)."],
  ])("reports %o", (postgres, severity, found) => {
    expect(brief(judgePostgres(postgres))).toEqual([[severity, found]]);
  });

  test("reports pools beyond a server's limit", () => {
    const sum = (fits: boolean) => ({ server: "pgbouncer", users: [], wanted: 120, allowed: 100, fits });
    expect(brief(judgeConnections([sum(false)]))).toEqual([
      ["warning", "All processes together may open 120 connections to pgbouncer, which allows 100."],
    ]);
    expect([judgeConnections([sum(true)]), judgeConnections(null)]).toEqual([[], []]);
  });

  test("reports a replica that lags", () => {
    expect(brief(judgeReplica({ lagMs: null, why: "it is more than 5000 ms behind" }))).toEqual([
      ["warning", "The replica of Postgres is not used: it is more than 5000 ms behind."],
    ]);
    expect([judgeReplica({ lagMs: 40, why: "" }), judgeReplica(null)]).toEqual([[], []]);
  });

  test("reports missing and invalid indexes", () => {
    expect(brief(judgeIndexes({ missing: ["a", "b"], invalid: ["c"] }))).toEqual([
      ["warning", "Indexes are missing: a, b."],
      ["warning", "Indexes are invalid: c."],
    ]);
    expect(judgeIndexes({ missing: [], invalid: [] })).toEqual([]);
  });
});

describe("Redis", () => {
  test.each([
    [{ fill: 0.5 }, []],
    [{ fill: 0.61 }, [["warning", "Redis uses 61 % of its memory: live events have stopped."]]],
    [{ fill: 0.9 }, [["error", expect.stringContaining("calls and queues stop at 100 %")]]],
    [{ unreachable: "timeout" }, [["error", "Redis does not answer: timeout."]]],
  ])("is judged at %o", (redis, expected) => expect(brief(judgeRedis(redis))).toEqual(expected as string[][]));
});

describe("the edge", () => {
  const now = Date.UTC(2027, 0, 1);
  const days = (number: number) => new Date(now + number * 86_400_000);
  const judged = (certificate: CertificateNow) => brief(judgeCertificate("https://app", certificate, now));

  test("with a valid certificate is healthy", () => {
    expect(judged({ validTo: days(30), refusal: null })).toEqual([]);
  });

  test.each([
    [{ validTo: days(10), refusal: null }, "warning", "The certificate of https://app expires in 10 days."],
    [{ validTo: days(-3), refusal: "CERT_HAS_EXPIRED" }, "error", "The certificate of https://app expired 3 days ago."],
    [{ validTo: days(30), refusal: "unknown authority" }, "error", "Clients refuse the certificate of https://app:"],
    [{ unreachable: "ECONNREFUSED" }, "error", "https://app does not answer a TLS handshake: ECONNREFUSED."],
  ])("reports the certificate %o", (certificate, severity, found) => {
    expect(judged(certificate)).toEqual([[severity, expect.stringContaining(found)]]);
  });

  test("reports maintenance that is on", () => {
    expect(brief(judgeMaintenance("600 10.0.0.7"))).toEqual([
      ["warning", expect.stringContaining("Maintenance is on")],
    ]);
    expect([undefined, "off"].flatMap(judgeMaintenance)).toEqual([]);
  });

  test("reports an API that does not answer", () => {
    expect(judgeReference("https://app", { status: 200 })).toEqual([]);
    for (const [answer, what] of [
      [{ status: 502 }, "status 502"],
      [{ unreachable: "refused" }, "refused"],
    ] as const)
      expect(brief(judgeReference("https://app", answer))).toEqual([
        ["error", `The API does not answer GET https://app/v1/openapi.json: ${what}.`],
      ]);
  });
});
