import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { AppError } from "../../core/errors.ts";
import { createLogger } from "../../runtime/log.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { forPlatform } from "../index.ts";
import { sql } from "./literal.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase();
  await database.owner`create table private_texts (text text primary key, n integer check (n > 0))`;
  await database.owner`insert into private_texts values ('SECRET-1', 1)`;
  await database.owner`grant all on private_texts to prosaas_app`;
});
afterAll(() => database.close());

const faults = [
  { fault: "a duplicate", statement: `insert into private_texts values ('SECRET-1', 1)`, code: "23505" },
  { fault: "a violated check", statement: `insert into private_texts values ('SECRET-2', 0)`, code: "23514" },
  { fault: "a value of another type", statement: `select 'SECRET-3'::uuid`, code: "22P02" },
  { fault: "a syntax error", statement: `select 1 from private_texts where text = 'x' "SECRET-4" 5`, code: "42601" },
  { fault: "an error in a function", statement: `do $$ begin raise exception 'SECRET-5'; end $$`, code: "P0001" },
];

const logged = (error: unknown): string => {
  let line = "";
  createLogger("test", "info", { write: (text: string) => void (line = text) }).error({ error }, "failed");
  return line;
};

describe.each(faults)("the log line of $fault", ({ statement, code }) => {
  const failure = (work: Promise<unknown>) => work.then(() => undefined, (error: unknown) => error); // prettier-ignore

  test("holds the SQLSTATE and no value", async () => {
    const app = await failure(forPlatform(database.db).run((run) => run.unsafe(statement)));
    for (const error of [app, new AppError("internal", "It failed.", { cause: app })]) {
      expect(logged(error)).not.toContain("SECRET");
      expect(Bun.inspect(error)).not.toContain("SECRET");
    }
    expect(JSON.parse(logged(app)).error.code).toBe(code);
  });

  test("holds no value from the owner's connection either", async () => {
    const owner = await failure(database.owner.unsafe(statement));
    for (const error of [owner, new AppError("internal", "It failed.", { cause: owner })])
      expect(logged(error)).not.toContain("SECRET");
    expect(JSON.parse(logged(owner)).error.code).toBe(code);
  });
});

test("an error names the constraint and the table", async () => {
  const statement = sql`insert into private_texts values ('SECRET-1', 1)`;
  const error = await forPlatform(database.db)
    .ask(statement)
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "23505", constraint_name: "private_texts_pkey", table_name: "private_texts" });
  expect(error).not.toHaveProperty("detail");
});
