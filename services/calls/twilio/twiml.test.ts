import { describe, expect, test } from "bun:test";
import { twiml, verb } from "./twiml.ts";

const head = '<?xml version="1.0" encoding="UTF-8"?>';

describe("twiml", () => {
  test("renders verbs in order with attributes and children", () => {
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

  test("escapes text, so that it cannot inject verbs", () => {
    expect(twiml(verb("Say", { voice: `"/><Hangup/>` }, "</Say><Dial>+1</Dial> & 'more'"))).toBe(
      `${head}<Response><Say voice="&quot;/&gt;&lt;Hangup/&gt;">` +
        `&lt;/Say&gt;&lt;Dial&gt;+1&lt;/Dial&gt; &amp; &apos;more&apos;</Say></Response>`,
    );
  });

  test("drops characters that XML does not allow", () => {
    expect(twiml(verb("Say", {}, "a\u0000b\u001bc\ud800d\n"))).toBe(
      `${head}<Response><Say>abc\ufffdd\n</Say></Response>`,
    );
  });

  test("renders an empty response without verbs", () => {
    expect(twiml()).toBe(`${head}<Response/>`);
  });
});
