import { beforeAll, describe, expect, test } from "bun:test";
import type { JsonSchema, OpenApiDocument, Operation } from "../../../lib/testing/openapi.ts";
import { useHarness } from "../testing/use_harness.ts";
import type { Answer } from "../testing/harness.ts";

let document: OpenApiDocument;
let business: string;
const api = useHarness();
beforeAll(async () => {
  document = (await api.request("GET", "/v1/openapi.json")).body as OpenApiDocument;
  business = (await api.business()).id;
});

const hostile = ["\u0000", "a\u0000b", "\ud800", "x\udfffy"];
const hostileEncoded = ["%00", "a%00b", "%ED%A0%80", "%ff", "%C3", "%zz"];
const someId = "019a3b5c-7d2e-7f00-8a1b-2c3d4e5f6071";

type Named = { method: string; template: string; operation: Operation };
const operations = (): Named[] =>
  Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), template, operation })),
  );

/** Fills in every parameter of a path. */
const pathOf = (template: string, values: Record<string, string> = {}) =>
  template.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? (name === "business_id" ? business : someId));

/** Generates a value of the schema with every field. */
function sampleOf(schema: JsonSchema | undefined, depth = 0): unknown {
  if (schema === undefined || depth > 8) return "x";
  const ref = schema["$ref"];
  if (typeof ref === "string") return sampleOf(document.components?.schemas?.[ref.split("/").at(-1)!], depth + 1);
  const choices = (schema["oneOf"] ?? schema["anyOf"]) as JsonSchema[] | undefined;
  if (choices?.[0] !== undefined) return sampleOf(choices[0], depth + 1);
  const all = schema["allOf"] as JsonSchema[] | undefined;
  if (all) return Object.assign({}, ...all.map((part) => sampleOf(part, depth + 1)));
  const properties = schema["properties"] as Record<string, JsonSchema> | undefined;
  if (properties)
    return Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, sampleOf(part, depth + 1)]));
  if (schema["const"] !== undefined) return schema["const"];
  if (Array.isArray(schema["enum"])) return schema["enum"][0] as unknown;
  if (schema["type"] === "array") return [sampleOf(schema["items"] as JsonSchema, depth + 1)];
  if (schema["type"] === "object") return { key: sampleOf(schema["additionalProperties"] as JsonSchema, depth + 1) };
  if (schema["type"] === "integer" || schema["type"] === "number") return 1;
  if (schema["type"] === "boolean") return true;
  return schema["example"] ?? "x";
}

type Path = (string | number)[];

/** Paths of the strings and objects in a value. */
function placesIn(value: unknown, path: Path = []): { strings: Path[]; objects: Path[] } {
  if (typeof value === "string") return { strings: [path], objects: [] };
  if (typeof value !== "object" || value === null) return { strings: [], objects: [] };
  const inside = Object.entries(value).map(([name, member]) => placesIn(member, [...path, name]));
  return {
    strings: inside.flatMap(({ strings }) => strings),
    objects: [...(Array.isArray(value) ? [] : [path]), ...inside.flatMap(({ objects }) => objects)],
  };
}

function changed(value: unknown, [name, ...rest]: Path, change: (at: unknown) => unknown): unknown {
  if (name === undefined) return change(value);
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[name] = changed(copy[name], rest, change);
  return copy;
}

const bodyOf = ({ operation }: Named) => operation.requestBody?.content["application/json"]?.schema;
const fieldsOf = (answer: Answer) => ((answer.body.errors ?? []) as { field: string }[]).map(({ field }) => field);

function expectRefused(answer: Answer, what: string, field: string): void {
  expect([400, 404, 422], `${what} answers ${answer.status}`).toContain(answer.status);
  expect(answer.headers.get("content-type"), what).toContain("application/problem+json");
  expect(fieldsOf(answer), what).toContain(field);
}

describe("text that cannot be stored", () => {
  test("is refused in every string of every body", async () => {
    let asked = 0;
    for (const one of operations()) {
      const schema = bodyOf(one);
      if (schema === undefined) continue;
      const sample = sampleOf(schema);
      for (const path of placesIn(sample).strings) {
        for (const text of hostile) {
          const answer = await api.request(one.method, pathOf(one.template), {
            body: changed(sample, path, () => text),
          });
          expectRefused(answer, `${one.method} ${one.template} ${path.join(".")}`, path.join("."));
          asked += 1;
        }
      }
    }
    expect(asked).toBeGreaterThan(150);
  });

  test("is refused in every name of every body", async () => {
    let asked = 0;
    for (const one of operations()) {
      const schema = bodyOf(one);
      if (schema === undefined) continue;
      const sample = sampleOf(schema);
      for (const path of placesIn(sample).objects) {
        for (const name of hostile) {
          const body = changed(sample, path, (at) => ({ ...(at as object), [name]: "x" }));
          const answer = await api.request(one.method, pathOf(one.template), { body });
          const field = [...path, name.replaceAll("\u0000", "\ufffd").toWellFormed()].join(".");
          expectRefused(answer, `${one.method} ${one.template} ${path.join(".")}`, field);
          asked += 1;
        }
      }
    }
    expect(asked).toBeGreaterThan(80);
  });

  test("is refused in every parameter of path and query", async () => {
    let asked = 0;
    for (const { method, template, operation } of operations()) {
      for (const { name, in: place } of operation.parameters ?? []) {
        if (place === "header") continue;
        for (const text of hostileEncoded) {
          const path = place === "path" ? pathOf(template, { [name]: text }) : `${pathOf(template)}?${name}=${text}`;
          expectRefused(await api.request(method, path), `${method} ${path}`, place === "path" ? "path" : name);
          asked += 1;
        }
      }
    }
    expect(asked).toBeGreaterThan(300);
  });

  test("is harmless in headers", async () => {
    for (const { method, template, operation } of operations()) {
      for (const { name, in: place } of operation.parameters ?? []) {
        if (place !== "header") continue;
        for (const text of ["\u00ff\u00fe", "\u0001", "%00", "\\u0000"]) {
          let headers: Headers;
          try {
            headers = new Headers({ [name]: text });
          } catch {
            continue;
          }
          const answer = await api.request(method, pathOf(template), {
            headers: Object.fromEntries(headers),
            body: {},
          });
          expect(answer.status, `${method} ${template} ${name}`).toBeLessThan(500);
        }
      }
    }
  });

  test("is refused as bytes that are not UTF-8", async () => {
    const path = `/v1/businesses/${business}/messages`;
    const bytes = Buffer.concat([
      Buffer.from('{"to":"5511987654321","type":"text","text":"'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    expectRefused(await api.request("POST", path, { body: bytes }), "bytes", "body");
    const utf16 = Buffer.from('{"to":"5511987654321","type":"text","text":"x"}', "utf16le");
    const answer = await api.request("POST", path, {
      body: utf16,
      headers: { "content-type": "application/json; charset=utf-16" },
    });
    expect(answer.status).toBe(415);
    expect(fieldsOf(answer)).toEqual(["content-type"]);
  });

  test("reaches the table when it is well-formed", async () => {
    const name = "שלום 😀 \u0001 \ufffd";
    const { body } = await api.request("POST", "/v1/businesses", { body: { name } });
    expect(body.name).toBe(name);
  });
});

describe("media types", () => {
  test("are matched like the JSON parser matches them", async () => {
    const types = [
      "application/json",
      `application/${"x".repeat(101)}+json`,
      "application/x.y-z+json; charset=utf-8",
      "APPLICATION/JSON",
    ];
    for (const type of types) {
      const answer = await api.request("POST", `/v1/businesses/${business}/webhooks`, {
        headers: { "content-type": type },
        body: String.raw`{"url":"https://example.com/hook","events":["message.received"],"a\u0000":"x"}`,
      });
      expect(answer.status, type).toBe(400);
      expect(fieldsOf(answer), type).toContain("a\ufffd");
    }
  });
});

describe("an upload that claims to be JSON", () => {
  const upload = (key: string, id: string, body: BodyInit) =>
    api.app.request(`/v1/businesses/${id}/media`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body,
    });

  test("is stored like any other file", async () => {
    const document = Buffer.from(`${JSON.stringify({ note: "\u0000" })}\n`.repeat(200_000));
    const { id, key } = await api.business();
    const response = await upload(key, id, document);
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ size: document.length });
  });

  test("is not read before access is checked", async () => {
    const { key } = await api.business();
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulls += 1;
        if (pulls > 20) controller.close();
        else controller.enqueue(Buffer.alloc(1024 * 1024, " "));
      },
    });
    expect((await upload(key, business, body)).status).toBe(404);
    expect(pulls).toBeLessThan(5);
  });
});
