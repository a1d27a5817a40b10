import { describe, expect, test } from "bun:test";
import { sumConnections } from "./connection_sums.ts";

const limits = { pooler: { clients: 100, servers: 40 }, primary: 100, replica: 100 };
const api = (processes: number) => ({ name: "api", processes, each: 10, reads: true });
const workers = { name: "workers", processes: 4, each: 8, reads: false };
const fits = (processes: number, changed: Partial<typeof limits> = {}) =>
  Object.fromEntries(
    sumConnections([api(processes), workers], { ...limits, ...changed }).map(({ server, fits: does }) => [
      server,
      does,
    ]),
  );

describe("sumConnections", () => {
  test("sums the pools of all processes for each server", () => {
    const [pooler, primary, replica] = sumConnections([api(3), workers], limits);
    expect(pooler).toMatchObject({ wanted: 62, allowed: 100, fits: true });
    expect(primary).toMatchObject({ wanted: 46, allowed: 97, fits: true });
    expect(replica).toMatchObject({ wanted: 30, allowed: 97, fits: true });
  });

  test("reports the server whose limit is exceeded", () => {
    expect(fits(6)).toEqual({ pgbouncer: true, postgres: true, "postgres-replica": true });
    expect(fits(7)).toEqual({ pgbouncer: false, postgres: true, "postgres-replica": true });
    expect(fits(3, { primary: 48 })).toEqual({ pgbouncer: true, postgres: false, "postgres-replica": true });
    expect(fits(3, { replica: 32 })).toEqual({ pgbouncer: true, postgres: true, "postgres-replica": false });
  });
});
