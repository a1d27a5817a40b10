import { expect, test } from "bun:test";
import { readDocument } from "./document.ts";

test("readDocument parses nested instructions in order", () => {
  const document = readDocument(
    '<?xml version="1.0" encoding="UTF-8"?><Response><Say>One &amp; two</Say>' +
      '<Connect action="https://h/a?b=1&amp;c=2"><Stream url="wss://h/m"><Parameter name="t" value="v"/></Stream>' +
      "</Connect></Response>",
  );
  expect(document.map(({ name }) => name)).toEqual(["Say", "Connect"]);
  expect(document[0]).toMatchObject({ text: "One & two" });
  expect(document[1]).toMatchObject({ attributes: { action: "https://h/a?b=1&c=2" } });
  expect(document[1]!.children[0]!.children[0]).toMatchObject({
    name: "Parameter",
    attributes: { name: "t", value: "v" },
  });
});

test.each([
  "",
  "hello",
  "<Response>",
  "<Response><Say></Response>",
  "<Answer/>",
  '<?xml version="1.0"?>',
  "<Response/><Response/>",
])("readDocument refuses %j", (text) => {
  expect(() => readDocument(text)).toThrow();
});
