import { expect, test } from "bun:test";
import { twiml, verb } from "./twiml.ts";

const head = '<?xml version="1.0" encoding="UTF-8"?>';

test("verbs are written in order, with their attributes and children", () => {
  const document = twiml(
    verb("Say", { language: "en-GB", voice: undefined }, "Hello."),
    verb(
      "Connect",
      { action: "https://h/a?stream=1&b=2" },
      verb("Stream", { url: "wss://h/m" }, verb("Parameter", { name: "t", value: "v" })),
    ),
    verb("Hangup"),
  );
  expect(document).toBe(
    `${head}<Response><Say language="en-GB">Hello.</Say><Connect action="https://h/a?stream=1&amp;b=2">` +
      `<Stream url="wss://h/m"><Parameter name="t" value="v"/></Stream></Connect><Hangup/></Response>`,
  );
});

test("text cannot become an instruction", () => {
  expect(twiml(verb("Say", { voice: `"/><Hangup/>` }, "</Say><Dial>+1</Dial> & 'more'"))).toBe(
    `${head}<Response><Say voice="&quot;/&gt;&lt;Hangup/&gt;">&lt;/Say&gt;&lt;Dial&gt;+1&lt;/Dial&gt; &amp; &apos;more&apos;</Say></Response>`,
  );
});

test("what XML cannot hold is left out", () => {
  expect(twiml(verb("Say", {}, "a\u0000b\u001bc\ud800d\n"))).toBe(
    `${head}<Response><Say>abc\ufffdd\n</Say></Response>`,
  );
});

test("no verbs make an empty response", () => {
  expect(twiml()).toBe(`${head}<Response/>`);
});
