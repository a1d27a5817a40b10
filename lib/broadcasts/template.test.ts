import { expect, test } from "bun:test";
import { faultOfTemplate, fieldsOf, render } from "./template.ts";

test("fields are put in, with or without spaces around their names", () => {
  expect(render("Hello {{name}}, your {{ order no }} is {{status}}.", { name: "Ada", "order no": "4711", status: "ready" })).toBe(
    "Hello Ada, your 4711 is ready.",
  );
});

test("what a field holds is not a template", () => {
  expect(render("{{a}}{{b}}", { a: "{{b}}", b: "$& $1" })).toBe("{{b}}$& $1");
  expect(render("{{toString}}", {})).toBe("");
});

test("each field is named once, in order", () => {
  expect(fieldsOf("{{b}} {{a}} {{ b }}")).toEqual(["b", "a"]);
  expect(fieldsOf("none")).toEqual([]);
});

test("a brace too many or a name that cannot be is said", () => {
  for (const text of ["Hello {{name}", "Hello {name}}", "{{}}", "{{ }}", "{{a{b}}", `{{${"x".repeat(65)}}}`, "{{a.b}}"]) {
    expect(faultOfTemplate(text), text).toBeString();
  }
  for (const text of ["", "Hello", "{{nome_completo}}", "{{Größe 2}}", "{a} and }", "{{{name}}}"])
    expect(faultOfTemplate(text), text).toBeUndefined();
});
