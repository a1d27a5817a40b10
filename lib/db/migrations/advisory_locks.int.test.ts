import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { applyMigrations } from "./migrate.ts";
import { shardRole } from "./shard_role.ts";

let database: MigratedDatabase;
let shard: postgres.Sql;
beforeAll(async () => {
  database = await createMigratedDatabase();
  const url = new URL(database.ownerUrl);
  url.searchParams.set("role", shardRole);
  shard = postgres(url.toString(), { max: 1, fetch_types: false, onnotice: () => {} });
});
afterAll(async () => {
  await shard.end();
  await database.close();
});

const takeAll = () =>
  shard`select pg_advisory_lock(hashtext('prosaas.inbound'), n) from generate_series(1, 300) n`.then(() => "taken");
const callableBy = async (role: string) => {
  const rows = await database.owner<{ name: string }[]>`
    select oid::regprocedure::text as name from pg_proc
    where proname ~ 'advisory' and has_function_privilege(${role}, oid, 'execute')`;
  return rows.map(({ name }) => name);
};

describe("advisory locks", () => {
  test("are refused to shards", async () => {
    await expect(takeAll()).rejects.toMatchObject({ code: "42501" });
    expect(await callableBy(shardRole)).toEqual([]);
  });

  test("are granted to services", async () => {
    expect((await callableBy("prosaas_app")).length).toBeGreaterThan(15);
  });

  test("are revoked from an older database", async () => {
    await database.owner`
      do $$
      declare name regprocedure;
      begin
        for name in select oid from pg_proc where proname ~ 'advisory' loop
          execute format('revoke execute on function %s from prosaas_app', name);
          execute format('grant execute on function %s to public', name);
        end loop;
      end $$`;
    expect(await callableBy(shardRole)).not.toEqual([]);
    expect(await applyMigrations(database.owner)).toEqual([]);
    await expect(takeAll()).rejects.toMatchObject({ code: "42501" });
    expect((await callableBy("prosaas_app")).length).toBeGreaterThan(15);
  });
});
