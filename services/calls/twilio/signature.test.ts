import { expect, test } from "bun:test";
import { isSigned, signatureOf } from "./signature.ts";

// The worked example of the carrier's own documentation.
const authToken = "12345";
const url = "https://mycompany.com/myapp.php?foo=1&bar=2";
const fields = [
  ["Digits", "1234"],
  ["To", "+18005551212"],
  ["From", "+14158675309"],
  ["Caller", "+14158675309"],
  ["CallSid", "CA1234567890ABCDE"],
] as const;
const signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";

test("the signature is the one of the carrier's documentation, whatever the order of the fields", () => {
  expect(signatureOf(authToken, url, fields)).toBe(signature);
  expect(signatureOf(authToken, url, fields.toReversed())).toBe(signature);
  expect(isSigned({ authToken, url, fields, signature })).toBeTrue();
});

test("a URL is recognised with its port and without", () => {
  const signed = (given: string, by: string) => isSigned({ authToken, url: given, fields, signature: signatureOf(authToken, by, fields) });
  expect(signed("https://h.example/a?b=c", "https://h.example:443/a?b=c")).toBeTrue();
  expect(signed("https://h.example:8443/a", "https://h.example/a")).toBeTrue();
  expect(signed("https://h.example:8443/a", "https://h.example:8443/a")).toBeTrue();
  expect(signed("http://h.example/a", "http://h.example:80/a")).toBeTrue();
  expect(signed("wss://h.example/media/CA1", "wss://h.example/media/CA1")).toBeTrue();
});

test("each value of a repeated field counts once", () => {
  const once = [
    ["a", "1"],
    ["a", "2"],
  ] as const;
  expect(
    signatureOf(authToken, url, [
      ["a", "2"],
      ["a", "1"],
      ["a", "2"],
    ]),
  ).toBe(signatureOf(authToken, url, once));
});

test("another token, URL, scheme, field, value or signature is not signed", () => {
  const given = { authToken, url, fields, signature };
  const forgeries = [
    { authToken: "12346" },
    { url: "https://mycompany.com/myapp.php?foo=1&bar=3" },
    { url: "http://mycompany.com/myapp.php?foo=1&bar=2" },
    { url: "https://mycompany.org/myapp.php?foo=1&bar=2" },
    { fields: [...fields, ["More", "1"] as const] },
    { fields: fields.slice(1) },
    { fields: fields.map(([name, value]) => [name, `${value}0`] as const) },
    { signature: "" },
    { signature: signature.toLowerCase() },
    { signature: `${signature}=` },
  ];
  for (const forgery of forgeries) expect(isSigned({ ...given, ...forgery })).toBeFalse();
});
