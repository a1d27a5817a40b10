import { expect, test } from "bun:test";
import { sign } from "./signature.ts";

test("sign matches the example of Twilio's documentation", () => {
  const form = new URLSearchParams({
    To: "+18005551212",
    CallSid: "CA1234567890ABCDE",
    Digits: "1234",
    From: "+14158675309",
    Caller: "+14158675309",
  });
  expect(sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form)).toBe("RSOYDt4T1cUTdK1PDd93/VVr8B8=");
});

test("sign deduplicates a field's values", () => {
  const url = "https://h.example/";
  expect(sign("t", url, new URLSearchParams("a=2&a=1&a=2"))).toBe(sign("t", url, new URLSearchParams("a=1&a=2")));
  expect(sign("t", url)).toBe(sign("t", url, new URLSearchParams()));
});
