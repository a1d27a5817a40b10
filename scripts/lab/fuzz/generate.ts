import { standalone } from "../../../lib/testing/openapi.ts";
import type { JsonSchema, OpenApiDocument, Parameter } from "../../../lib/testing/openapi.ts";

/** Numbers that are the same in every run with the same seed. */
export type Random = { below(n: number): number; pick<T>(items: readonly T[]): T; chance(part: number): boolean };

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  return { below, pick: (items) => items[below(items.length)]!, chance: (part) => next() < part };
}

/** Texts that break what is not careful: quotes, templates, characters that are no characters, much of something. */
export const nastyTexts: readonly string[] = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udfff\ud800",
  "'",
  "''; drop table messages; --",
  "\\",
  "\\' or 1=1 --",
  "%",
  "%00",
  "${7*7}",
  "{{7*7}}",
  "../../etc/passwd",
  "<script>alert(1)</script>",
  "null",
  "-1",
  "1e309",
  "NaN",
  "9007199254740993",
  "\u202e\u200f\u0301",
  "😀".repeat(50),
  "x".repeat(300),
  "x".repeat(70_000),
  "\n\r\t",
  "2026-02-30T25:61:61Z",
  "0000-00-00T00:00:00Z",
  "+999999999-01-01T00:00:00Z",
  "00000000-0000-0000-0000-000000000000",
  "01900000-0000-7000-8000-000000000000",
];

const nastyValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 53,
  -(2 ** 63),
  1e308,
  [],
  {},
  [[]],
  { a: { b: { c: [] } } },
  ["x", 1, null],
];

/** Values made from a schema: most as it asks for, some not. */
export function createGenerator(document: OpenApiDocument, random: Random) {
  const { below, pick, chance } = random;
  const text = () => pick(nastyTexts);
  const anything = (): unknown => (chance(0.5) ? text() : pick(nastyValues));

  const resolve = (schema: JsonSchema): JsonSchema => {
    const name = typeof schema["$ref"] === "string" ? schema["$ref"].split("/").at(-1)! : undefined;
    return name === undefined ? schema : resolve(document.components?.schemas?.[name] ?? {});
  };

  const valid = (unresolved: JsonSchema, depth = 0): unknown => {
    const schema = resolve(unresolved);
    const options = (schema["anyOf"] ?? schema["oneOf"]) as JsonSchema[] | undefined;
    if (options && depth < 6) return valid(pick(options), depth + 1);
    const allOf = schema["allOf"] as JsonSchema[] | undefined;
    if (allOf && depth < 6) return Object.assign({}, ...allOf.map((part) => valid(part, depth + 1)));
    if ("const" in schema) return schema["const"];
    if (Array.isArray(schema["enum"])) return pick(schema["enum"] as unknown[]);
    if ("example" in schema && chance(0.7)) return schema["example"];
    const types = [schema["type"]].flat() as (string | undefined)[];
    switch (pick(types)) {
      case "object":
        return object(schema, depth);
      case "array":
        return Array.from({ length: below(4) }, () => valid((schema["items"] ?? {}) as JsonSchema, depth + 1));
      case "integer":
      case "number":
        return number(schema);
      case "boolean":
        return chance(0.5);
      case "null":
        return null;
      case "string":
        return string(schema);
      default:
        return anything();
    }
  };

  const object = (schema: JsonSchema, depth: number): unknown => {
    const properties = Object.entries((schema["properties"] ?? {}) as Record<string, JsonSchema>);
    const required = new Set((schema["required"] ?? []) as string[]);
    return Object.fromEntries(
      properties
        .filter(([name]) => required.has(name) || chance(0.5))
        .map(([name, each]) => [name, valid(each, depth + 1)]),
    );
  };
  const number = (schema: JsonSchema): number => {
    const from = Math.max(Number(schema["minimum"] ?? -10), -1_000_000);
    const to = Math.min(Number(schema["maximum"] ?? 1_000), 1_000_000);
    return chance(0.2) ? pick([from, to]) : from + below(Math.max(1, to - from));
  };
  const string = (schema: JsonSchema): string => {
    if (schema["format"] === "date-time")
      return new Date(Date.now() + (below(2_000_000) - 500_000) * 1_000).toISOString();
    if (schema["format"] === "uuid") return crypto.randomUUID();
    if (typeof schema["pattern"] === "string") return typeof schema["example"] === "string" ? schema["example"] : "a";
    const length = Number(schema["minLength"] ?? 1) + below(12);
    return Array.from({ length }, () => pick(["a", "b", " ", "á", "ß", "😀", "'", '"', "\\", "%"])).join("");
  };

  /** The value with one thing about it changed: left out, of another type, too much, or beyond its form. */
  const mutated = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || chance(0.15)) return anything();
    if (Array.isArray(value))
      return chance(0.5) ? [...value, anything()] : Array.from({ length: 300 }, () => value[0] ?? "x");
    const names = Object.keys(value);
    const name = names.length === 0 || chance(0.15) ? pick(["__proto__", "constructor", "extra", ""]) : pick(names);
    const copy: Record<string, unknown> = { ...(value as Record<string, unknown>) };
    if (chance(0.2)) delete copy[name];
    else copy[name] = chance(0.3) ? mutated(copy[name]) : anything();
    return copy;
  };

  return {
    text,
    /** A body for an operation, as text: mostly as the schema asks, sometimes not even JSON. */
    body: (schema: JsonSchema | undefined): string => {
      if (chance(0.05))
        return pick([
          "",
          "{",
          "[",
          "nul",
          '"\ud800"',
          '{"a":1}x',
          "\u0000",
          "[".repeat(5_000),
          `{"a":"${"x".repeat(600_000)}"}`,
        ]);
      const value = schema ? valid(standalone(schema, document)) : anything();
      return JSON.stringify(chance(0.5) ? mutated(value) : value) ?? "null";
    },
    /** A value for a parameter in a query or header, or undefined to leave it out. */
    parameter: ({ required, schema }: Parameter): string | undefined => {
      if (!required && chance(0.5)) return undefined;
      return String(chance(0.3) ? text() : valid(schema ?? {}));
    },
  };
}
