import { describe, expect, test } from "bun:test";
import { cpuMs } from "../testing/cpu_time.ts";
import { faultOfTemplate, parseTemplate } from "./template.ts";

const render = (text: string, fields: Record<string, string>) => parseTemplate(text).render(fields);
const fieldsOf = (text: string) => parseTemplate(text).fields;

test("fills in fields, with or without spaces", () => {
  expect(
    render("Hello {{name}}, your {{ order no }} is {{status}}.", { name: "Ada", "order no": "4711", status: "ready" }),
  ).toBe("Hello Ada, your 4711 is ready.");
});

test("keeps a template inside a field's value", () => {
  expect(render("{{a}}{{b}}", { a: "{{b}}", b: "$& $1" })).toBe("{{b}}$& $1");
  expect(render("{{toString}}", {})).toBe("");
});

test("lists each field once, in order", () => {
  expect(fieldsOf("{{b}} {{a}} {{ b }}")).toEqual(["b", "a"]);
  expect(fieldsOf("none")).toEqual([]);
});

test("rejects unbalanced braces and invalid names", () => {
  for (const text of [
    "Hello {{name}",
    "Hello {name}}",
    "{{}}",
    "{{ }}",
    "{{a{b}}",
    `{{${"x".repeat(65)}}}`,
    "{{a.b}}",
  ]) {
    expect(faultOfTemplate(text), text).toBeString();
  }
  for (const text of ["", "Hello", "{{nome_completo}}", "{{Größe 2}}", "{a} and }", "{{{name}}}"])
    expect(faultOfTemplate(text), text).toBeUndefined();
});

describe("renderedLength", () => {
  test("is the length of the rendered text", () => {
    const cases: [string, Record<string, string>][] = [
      ["", {}],
      ["no field", { a: "x" }],
      ["{{a}}{{ a }} and {{b}}", { a: "Ada", b: "𝒳" }],
      ["{{missing}}!", {}],
      ["{{{a}}}", { a: "" }],
    ];
    for (const [text, fields] of cases) {
      const template = parseTemplate(text);
      expect(template.renderedLength(fields), text).toBe(template.render(fields).length);
    }
  });

  test("is known without rendering", () => {
    const template = parseTemplate("{{a}}".repeat(13_000));
    expect(template.renderedLength({ a: "x".repeat(1_000) })).toBe(13_000_000);
  });
});

describe("faultOfTemplate", () => {
  test("bounds what it quotes", () => {
    expect(faultOfTemplate(`{{${"x".repeat(60_000)}}}`)!.length).toBeLessThan(300);
  });

  test("bounds the number of fields", () => {
    const naming = (count: number) => Array.from({ length: count }, (_, n) => `{{f${n}}}`).join("");
    expect(faultOfTemplate(naming(50))).toBeUndefined();
    expect(faultOfTemplate(naming(51))).toContain("51 fields");
    expect(faultOfTemplate("{{a}}".repeat(1_000))).toBeUndefined();
  });

  test("reads 64 KB of hostile text at once", () => {
    const spent = cpuMs(() => {
      for (const unit of [" ", "{{", "{{ ", "{", "}", "{{a", "{{a ", "{{a}", "\u00a0"]) {
        faultOfTemplate(`{{${unit.repeat(65_000 / unit.length)}`);
        faultOfTemplate(unit.repeat(65_000 / unit.length));
      }
    });
    expect(spent).toBeLessThan(1_000);
  });
});
