import { describe, expect, test } from "bun:test";
import { createConformance } from "./openapi.ts";

const thing = {
  type: "object",
  properties: { id: { type: "string" }, next: { $ref: "#/components/schemas/Thing" } },
  required: ["id"],
};
const json = { content: { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } } };
const { faultOf, templateOf } = createConformance({
  components: { schemas: { Thing: thing } },
  paths: {
    "/things/{id}": { get: { responses: { 200: json } }, delete: { responses: { 204: {} } } },
    "/things/special": { get: { responses: { 200: json } } },
  },
});
const answer = (status: number, body: unknown, contentType: string | null = "application/json; charset=utf-8") => ({
  status,
  body,
  contentType,
});

describe("createConformance", () => {
  test("accepts a response that matches the document", () => {
    expect(faultOf("GET", "/things/7", answer(200, { id: "7", next: { id: "8" } }))).toBeUndefined();
    expect(faultOf("delete", "/things/7", answer(204, "", null))).toBeUndefined();
  });

  test("reports a wrong status, media type or schema", () => {
    expect(faultOf("GET", "/things/7", answer(201, { id: "7" }))).toContain("status");
    expect(faultOf("GET", "/things/7", answer(200, { id: "7" }, "text/html"))).toContain("text/html");
    expect(faultOf("GET", "/things/7", answer(200, { id: "7", next: {} }))).toContain("next.id");
    expect(faultOf("DELETE", "/things/7", answer(204, { id: "7" }))).toContain("no body");
    expect(faultOf("POST", "/things/7", answer(200, {}))).toContain("no such operation");
  });

  test("prefers a path without parameters", () => {
    expect(templateOf("/things/special")).toBe("/things/special");
    expect(templateOf("/things/7")).toBe("/things/{id}");
    expect(templateOf("/things/7/more")).toBeUndefined();
  });
});
