import { describe, expect, test } from "bun:test";
import { parseProxy, zProxies } from "./proxy.ts";

const id = "01a22901-142e-709a-aacd-7f4436307139";

describe("parseProxy", () => {
  test("accepts http, https and socks5 URLs with credentials", () => {
    expect(parseProxy("socks5://anna:p%40ss@proxy.example.com")).toMatchObject({
      protocol: "socks5",
      host: "proxy.example.com",
      port: 1080,
      username: "anna",
      password: "p@ss",
      label: "socks5://proxy.example.com:1080",
    });
    expect(parseProxy("https://[2001:db8::1]:8443")).toMatchObject({ host: "2001:db8::1", port: 8443 });
  });

  test.each([
    "",
    "proxy.example.com:3128",
    "ftp://proxy.example.com",
    "socks4://proxy.example.com",
    "http://proxy.example.com/path",
    "http://proxy.example.com/?a=b",
    "http://%zz:x@proxy.example.com",
    `http://${"a".repeat(2_000)}.example.com`,
  ])("refuses %p", (text) => expect(parseProxy(text)).toBeNull());
});

describe("EGRESS_PROXIES", () => {
  const proxies = zProxies.parse(
    JSON.stringify({ shards: { 2: "http://shard:1" }, businesses: { [id]: "socks5://own:2" } }),
  );

  test("gives a business its own proxy, else its shard's", () => {
    expect(proxies.of({ id, shard: 2 })?.label).toBe("socks5://own:2");
    expect(proxies.of({ id: "another", shard: 2 })?.label).toBe("http://shard:1");
    expect(proxies.of({ id: "another", shard: 1 })).toBeUndefined();
    expect(proxies.of({ id: "another", shard: null })).toBeUndefined();
    expect(proxies.all()).toHaveLength(2);
  });

  test.each(["no JSON with secret", '{"shards": {"0": "http://u:secret@h"}}', '{"shards": {"1": "secret://h"}}'])(
    "refuses %p without repeating it",
    (text) => {
      const { error } = zProxies.safeParse(text);
      expect(error?.message).toContain("must be");
      expect(error?.message).not.toContain("secret");
    },
  );
});
