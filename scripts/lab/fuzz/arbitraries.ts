import * as fc from "fast-check";
import type { Arbitrary } from "fast-check";
import type { JsonSchema, OpenApiDocument, Parameter } from "../../../lib/testing/openapi.ts";
import { edgeCaseTexts, edgeCaseValues } from "./edge_cases.ts";

/** Bodies that are no JSON, or too deep or too large. */
const brokenBodies = [
  "",
  "{",
  "[",
  "nul",
  '"\ud800"',
  '{"a":1}x',
  "\u0000",
  "[".repeat(5_000),
  `{"a":"${"x".repeat(600_000)}"}`,
];

export const edgeCaseText = fc.constantFrom(...edgeCaseTexts);
const anything: Arbitrary<unknown> = fc.oneof(edgeCaseText, fc.constantFrom(...edgeCaseValues));

/** Delays the construction, because schemas may refer to themselves. */
const lazily = (make: () => Arbitrary<unknown>): Arbitrary<unknown> => fc.constant(null).chain(make);

const weighted = <T>(...choices: [weight: number, arbitrary: Arbitrary<T>][]): Arbitrary<T> =>
  fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));

/** Bodies and parameters from the schemas of an OpenAPI document: valid ones, and ones with a fault. */
export function createArbitraries({ components }: OpenApiDocument) {
  const resolve = (schema: JsonSchema): JsonSchema => {
    const name = typeof schema["$ref"] === "string" ? schema["$ref"].split("/").at(-1)! : undefined;
    return name === undefined ? schema : resolve(components?.schemas?.[name] ?? {});
  };

  const valid = (unresolved: JsonSchema, depth = 0): Arbitrary<unknown> => {
    const schema = resolve(unresolved);
    const options = (schema["anyOf"] ?? schema["oneOf"]) as JsonSchema[] | undefined;
    if (options && depth < 6) return fc.oneof(...options.map((option) => lazily(() => valid(option, depth + 1))));
    const parts = schema["allOf"] as JsonSchema[] | undefined;
    if (parts && depth < 6) {
      const all = fc.tuple(...parts.map((part) => valid(part, depth + 1)));
      return all.map((values) => Object.assign({}, ...values) as unknown);
    }
    if ("const" in schema) return fc.constant(schema["const"]);
    if (Array.isArray(schema["enum"])) return fc.constantFrom(...(schema["enum"] as unknown[]));
    const types = [schema["type"]].flat() as (string | undefined)[];
    const typed = fc.oneof(...types.map((type) => lazily(() => ofType(type, schema, depth))));
    return "example" in schema ? weighted([7, fc.constant(schema["example"])], [3, typed]) : typed;
  };

  const ofType = (type: string | undefined, schema: JsonSchema, depth: number): Arbitrary<unknown> => {
    switch (type) {
      case "object": {
        const properties = Object.entries((schema["properties"] ?? {}) as Record<string, JsonSchema>);
        const model = Object.fromEntries(properties.map(([name, each]) => [name, valid(each, depth + 1)]));
        const required = ((schema["required"] ?? []) as string[]).filter((name) => name in model);
        return fc.record(model, { requiredKeys: required });
      }
      case "array":
        return fc.array(valid((schema["items"] ?? {}) as JsonSchema, depth + 1), { maxLength: 3 });
      case "integer":
      case "number":
        return numberOf(schema);
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "string":
        return stringOf(schema);
      default:
        return anything;
    }
  };

  /** The value with one fault: a part that is missing, of another type, repeated or unknown. */
  const mutated = (value: unknown): Arbitrary<unknown> => {
    if (typeof value !== "object" || value === null) return anything;
    if (Array.isArray(value)) {
      const longer = anything.map((extra) => [...(value as unknown[]), extra] as unknown);
      return weighted(
        [15, anything],
        [43, longer],
        [42, fc.constant(Array.from({ length: 300 }, () => value[0] ?? "x"))],
      );
    }
    const parts = value as Record<string, unknown>;
    const names = Object.keys(parts);
    const unknownName = fc.constantFrom("__proto__", "constructor", "extra", "");
    const name = names.length === 0 ? unknownName : weighted([15, unknownName], [85, fc.constantFrom(...names)]);
    const changed = name.chain((part) => {
      const { [part]: before, ...rest } = parts;
      const replaced = weighted([30, mutated(before)], [70, anything]);
      return weighted(
        [20, fc.constant<unknown>(rest)],
        [80, replaced.map((after): unknown => ({ ...parts, [part]: after }))],
      );
    });
    return weighted([15, anything], [85, changed]);
  };

  return {
    /** A body as text: mostly as the schema asks, sometimes with a fault, sometimes no JSON. */
    body: (schema: JsonSchema | undefined): Arbitrary<string> => {
      const value = schema === undefined ? anything : valid(schema);
      const sent = value.chain((made) => fc.oneof(fc.constant(made), mutated(made)));
      return weighted([5, fc.constantFrom(...brokenBodies)], [95, sent.map((made) => JSON.stringify(made) ?? "null")]);
    },
    /** A value of a query or header parameter; undefined leaves it out. */
    parameter: ({ required, schema }: Parameter): Arbitrary<string | undefined> => {
      const value = weighted<unknown>([3, edgeCaseText], [7, valid(schema ?? {})]).map(String);
      return required ? value : fc.oneof(value, fc.constant(undefined));
    },
  };
}

function numberOf(schema: JsonSchema): Arbitrary<number> {
  const min = Math.max(Number(schema["minimum"] ?? -10), -1_000_000);
  const max = Math.max(min, Math.min(Number(schema["maximum"] ?? 1_000), 1_000_000));
  return weighted([2, fc.constantFrom(min, max)], [8, fc.integer({ min: Math.ceil(min), max: Math.floor(max) })]);
}

function stringOf(schema: JsonSchema): Arbitrary<string> {
  const { format, pattern, example } = schema as { format?: string; pattern?: string; example?: string };
  if (format === "date-time") {
    const [min, max] = [-500_000, 1_500_000].map((seconds) => new Date(Date.now() + seconds * 1_000)) as [Date, Date];
    return fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString());
  }
  if (format === "uuid") return fc.uuid();
  if (pattern !== undefined) {
    try {
      return fc.stringMatching(new RegExp(pattern));
    } catch {
      // fast-check does not support every regular expression.
      return fc.constant(example ?? "a");
    }
  }
  const minLength = Number(schema["minLength"] ?? 1);
  const unit = fc.constantFrom("a", "b", " ", "á", "ß", "😀", "'", '"', "\\", "%");
  return fc.string({ unit, minLength, maxLength: minLength + 11 });
}
