import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { connectAsOwner } from "../../lib/db/client/owner.ts";
import { setPasswords } from "../cli/secrets/live_postgres.ts";
import { createInitialisedPostgres, initialPassword as password } from "./initialised_postgres.ts";
import type { InitialisedPostgres } from "./initialised_postgres.ts";

let server: InitialisedPostgres;
beforeAll(async () => {
  server = await createInitialisedPostgres();
  await server.init();
  // As at each further start.
  await server.init({ prosaas_app_b: password });
  await server.start();
});
afterAll(() => server.remove());

/** The role and the time limit of statements after a login, or the code of its error. */
async function login(role: string, secret: string, database = "prosaas"): Promise<string> {
  const sql = postgres(`postgres://${role}:${secret}@127.0.0.1:${server.port}/${database}`, {
    max: 1,
    fetch_types: false,
  });
  try {
    const [row] = await sql`select current_user as "role", current_setting('statement_timeout') as "limit"`;
    return `${row!["role"]} ${row!["limit"]}`;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "failed";
  } finally {
    await sql.end();
  }
}

const connect = async (role: string, database: string): Promise<string> =>
  (await login(role, password, database)).replace(/^prosaas.*/, "connected");

describe("roles of an initialised server", () => {
  test("connect to the platform's database", async () => {
    for (const role of ["prosaas", "prosaas_app", "prosaas_shards"])
      expect([role, await connect(role, "prosaas")]).toEqual([role, "connected"]);
  });

  test("are taken by their second login", async () => {
    expect(await login("prosaas_app_b", password)).toStartWith("prosaas_app ");
  });

  test.each(["postgres", "template1"])("do not connect to %s", async (database) => {
    for (const role of ["prosaas", "prosaas_app", "prosaas_shards", "prosaas_replication"])
      expect([role, await connect(role, database)]).toEqual([role, "42501"]);
  });
});

describe("passwords of a running server", () => {
  const give = async (items: Record<string, string>) => {
    const url = `postgres://postgres:${password}@127.0.0.1:${server.port}/prosaas`;
    const sql = connectAsOwner({ url, applicationName: "test" });
    await sql`alter role prosaas_app in database prosaas set statement_timeout = '15s'`;
    await setPasswords(sql, items);
    await sql.end();
  };

  test("go to the other login and back", async () => {
    const now = () => Promise.all([login("prosaas_app", "first"), login("prosaas_app_b", "second")]);
    await give({ app_password: "first" });
    expect(await now()).toEqual(["prosaas_app 15s", "28P01"]);
    await give({ app_password: "first", app_b_password: "second" });
    expect(await now()).toEqual(["prosaas_app 15s", "prosaas_app 15s"]);
    await give({ app_password: "", app_b_password: "second" });
    expect(await now()).toEqual(["28P01", "prosaas_app 15s"]);
    await give({ app_password: "first" });
    expect(await now()).toEqual(["prosaas_app 15s", "28P01"]);
  });

  test("disconnect no client", async () => {
    const connected = postgres(`postgres://prosaas:${password}@127.0.0.1:${server.port}/prosaas`, { max: 1 });
    const pid = async () => (await connected`select pg_backend_pid() as pid`)[0]!["pid"] as number;
    const before = await pid();
    await give({ owner_password: "the-next" });
    expect(await pid()).toBe(before);
    await connected.end();
    expect([await connect("prosaas", "prosaas"), await login("prosaas", "the-next")]).toEqual(["28P01", "prosaas 0"]);
    await give({ owner_password: password });
  });
});
