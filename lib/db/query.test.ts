import { and, eq, inArray, sql } from "drizzle-orm";
import { describe, expect, test } from "bun:test";
import { businesses } from "./businesses/schema.ts";
import { textOf } from "./client/literal.ts";
import { execute, fetchRows, now, prepared, query, statementOf } from "./query.ts";
import type { Scope } from "./scope.ts";
import { webhooks } from "./webhooks/schema.ts";

/** A scope that returns the statements it is asked. */
function recorder() {
  const asked: string[] = [];
  const ask = async (statement: Parameters<Scope["ask"]>[0]) => {
    asked.push(textOf(statement));
    return Object.assign([], { count: 2 });
  };
  return { asked, scope: { ask } as unknown as Pick<Scope, "ask"> };
}

describe("statementOf", () => {
  test("writes parameters as quoted literals", () => {
    const name = `'; drop table businesses; -- \\ $1`;
    const built = query.select({ id: businesses.id }).from(businesses).where(eq(businesses.name, name)).limit(3);
    expect(textOf(statementOf(built))).toBe(
      `select "id" from "businesses" where "businesses"."name" =  E'''; drop table businesses; -- \\\\ $1' limit '3'`,
    );
  });

  test("encodes times, arrays, JSON and null by their column", () => {
    const at = new Date("2026-03-01T12:00:00.000Z");
    const written = query.update(webhooks).set({ events: ["a", 'b"'], failing_since: at, description: null });
    expect(textOf(statementOf(written))).toBe(
      `update "webhooks" set "description" = null, "events" =  E'{"a","b\\\\""}', ` +
        `"failing_since" = '2026-03-01T12:00:00.000Z'`,
    );
    const inserted = query.update(businesses).set({ pacing: { enabled: true }, updated_at: now });
    expect(textOf(statementOf(inserted))).toBe(
      `update "businesses" set "pacing" = '{"enabled":true}', "updated_at" = now()`,
    );
  });

  test("rejects U+0000 in parameters and statements", () => {
    const filter = (text: string) => query.select().from(businesses).where(eq(businesses.name, text));
    expect(() => statementOf(filter("a\u0000b"))).toThrow(TypeError);
    expect(() => statementOf(query.select({ x: sql.raw("'\u0000'") }).from(businesses))).toThrow(TypeError);
  });
});

test("runs queries through the scope", async () => {
  const { asked, scope } = recorder();
  await fetchRows(
    scope,
    query
      .select({ id: businesses.id })
      .from(businesses)
      .where(inArray(businesses.id, ["a"])),
  );
  expect(await execute(scope, query.delete(businesses).where(eq(businesses.id, "b")))).toBe(2);
  const find = prepared(["id"], ({ id }) =>
    query
      .select({ id: businesses.id })
      .from(businesses)
      .where(and(eq(businesses.id, id))),
  );
  await find(scope, { id: "c'" });
  expect(asked).toEqual([
    `select "id" from "businesses" where "businesses"."id" in ('a')`,
    `delete from "businesses" where "businesses"."id" = 'b'`,
    `select "id" from "businesses" where "businesses"."id" = 'c'''`,
  ]);
});
