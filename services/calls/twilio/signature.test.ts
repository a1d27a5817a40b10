import { describe, expect, test } from "bun:test";
import { isSigned, requestTarget, signatureOf } from "./signature.ts";

// The worked example of the carrier's documentation.
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

describe("signatureOf", () => {
  test("matches the documentation, whatever the field order", () => {
    expect(signatureOf(authToken, url, fields)).toBe(signature);
    expect(signatureOf(authToken, url, fields.toReversed())).toBe(signature);
    expect(isSigned({ authTokens: [authToken], url, fields, signature })).toBeTrue();
  });

  test("counts each value of a repeated field once", () => {
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
});

describe("isSigned", () => {
  test("accepts a URL with and without its port", () => {
    const signed = (given: string, by: string) =>
      isSigned({ authTokens: [authToken], url: given, fields, signature: signatureOf(authToken, by, fields) });
    expect(signed("https://h.example/a?b=c", "https://h.example:443/a?b=c")).toBeTrue();
    expect(signed("https://h.example:8443/a", "https://h.example/a")).toBeTrue();
    expect(signed("https://h.example:8443/a", "https://h.example:8443/a")).toBeTrue();
    expect(signed("http://h.example/a", "http://h.example:80/a")).toBeTrue();
    expect(signed("wss://h.example/media/CA1", "wss://h.example/media/CA1")).toBeTrue();
  });

  test("accepts each of two tokens during a rotation", () => {
    for (const authTokens of [
      ["new", authToken],
      [authToken, "new"],
    ])
      expect(isSigned({ authTokens, url, fields, signature })).toBeTrue();
    expect(isSigned({ authTokens: [], url, fields, signature })).toBeFalse();
  });

  test("does not normalise path and query", () => {
    for (const target of ["/a/../b?x='|\"<>", "/%7euser;v=1?q=%c3%bc&r=ü", "//a?b"]) {
      const address = `https://h.example${target}`;
      expect(
        isSigned({ authTokens: [authToken], url: address, fields, signature: signatureOf(authToken, address, fields) }),
      ).toBeTrue();
    }
  });

  test("rejects any forged part", () => {
    const given = { authTokens: [authToken], url, fields, signature };
    const forgeries = [
      { authTokens: ["12346"] },
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
});

describe("requestTarget", () => {
  const target = (url: string, original?: string) =>
    requestTarget(new Request(url, { headers: original === undefined ? {} : { "x-original-uri": original } }));

  test("is the edge's original URI, byte for byte", () => {
    expect(target("http://h/webhooks/voice?x=%27", "/webhooks/voice?x='")).toBe("/webhooks/voice?x='");
    expect(target("http://h/b?x=1", "/a/../b?x=1")).toBe("/a/../b?x=1");
  });

  test("ignores an original URI with another path", () => {
    for (const original of ["/other?x=1", "http://h/voice?x=1", "voice?x=1", "//h/voice", ""])
      expect(target("http://h/voice?x=1", original)).toBe("/voice?x=1");
    expect(target("http://h/voice?x=1")).toBe("/voice?x=1");
  });
});
