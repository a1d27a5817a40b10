import { describe, expect, test } from "bun:test";
import { AddressRefused, createAddressPolicy, isPublicAddress } from "./address_policy.ts";
import type { Address } from "./address_policy.ts";

const forbidden = `
  0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.255 169.254.169.254
  172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.7
  203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
  :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:a00:1 ::7f00:1 64:ff9b::7f00:1 64:ff9b:1::1 100::1
  2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1:: 2002:a00:1::1 3fff::1 fc00::1 fd12:3456::1
  fe80::1 fe80::1%eth0 fec0::1 ff02::1 5f00::1`
  .trim()
  .split(/\s+/);

test.each(forbidden)("%s is not of the public internet", (address) => {
  expect(isPublicAddress(address)).toBeFalse();
});

test.each([
  "8.8.8.8",
  "1.1.1.1",
  "100.63.255.255",
  "100.128.0.1",
  "172.15.0.1",
  "172.32.0.1",
  "192.0.1.1",
  "198.20.0.1",
  "223.255.255.255",
])("%s is of the public internet", (address) => expect(isPublicAddress(address)).toBeTrue());

test.each(["2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2400:cb00::1"])(
  "%s is of the public internet",
  (address) => expect(isPublicAddress(address)).toBeTrue(),
);

test("rejects text that is no address", () => {
  for (const text of ["", "example.com", "1.2.3", "1.2.3.4.5", "0x7f.1", "[::1]"])
    expect(isPublicAddress(text), text).toBeFalse();
});

const policy = (addresses: string[] = ["8.8.8.8"], allowPrivate = false) =>
  createAddressPolicy({
    allowPrivate,
    lookup: async () => addresses.map((address): Address => ({ address, family: address.includes(":") ? 6 : 4 })),
  });

test("refuses every notation of a private address", () => {
  const hosts = [
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[fe80::1]",
    "10.1",
  ];
  for (const host of [...hosts, "localhost", "api.localhost", "LOCALHOST.", "①②⑦.⓪.⓪.①"]) {
    expect(policy().faultOf(`https://${host}/hook`), host).toBeString();
  }
});

test("only https, without credentials or fragment, is accepted", () => {
  for (const url of [
    "http://example.com/",
    "ftp://example.com/",
    "https://a:b@example.com/",
    "https://example.com/#x",
    "example.com",
    "",
  ]) {
    expect(policy().faultOf(url), url).toBeString();
  }
  for (const url of ["https://example.com/", "https://example.com:8443/hook?token=1", "https://8.8.8.8/hook"]) {
    expect(policy().faultOf(url), url).toBeUndefined();
  }
});

test("a name leads to its checked address, IPv4 first", async () => {
  expect(await policy(["2606:4700:4700::1111", "1.1.1.1"]).resolve(new URL("https://example.com"))).toBe("1.1.1.1");
  expect(await policy(["2606:4700:4700::1111"]).resolve(new URL("https://example.com"))).toBe("2606:4700:4700::1111");
});

test("refuses a name with one private address", async () => {
  for (const addresses of [["10.0.0.1"], ["1.1.1.1", "169.254.169.254"], ["1.1.1.1", "::1"], []]) {
    await expect(policy(addresses).resolve(new URL("https://example.com"))).rejects.toThrow(AddressRefused);
  }
});

test("for development everything may be called, also over http", async () => {
  const open = policy(["127.0.0.1"], true);
  expect(open.faultOf("http://localhost:8080/hook")).toBeUndefined();
  expect(await open.resolve(new URL("http://[::1]:8080/hook"))).toBe("::1");
});

describe("names that lead to no public host", () => {
  const names = [
    "localhost.",
    "foo.localhost",
    "foo.localhost.",
    "FOO.LOCALHOST",
    "localhost.localdomain",
    "ip6-localhost",
    "intranet",
    "metadata.google.internal",
    "printer.local",
    "router.lan",
    "1.0.0.127.in-addr.arpa",
    "localhost..",
    "a..example.com",
    "%6cocalhost",
  ];

  test.each(names)("%s is refused when an endpoint is created", (name) => {
    expect(policy().faultOf(`https://${name}/hook`)).toBeString();
    expect(policy([], true).faultOf(`https://${name}/hook`)).toBeUndefined();
  });

  test.each(names)("%s is refused at delivery, whatever it resolves to", async (name) => {
    await expect(policy(["8.8.8.8"]).resolve(new URL(`https://${name}/hook`))).rejects.toThrow(AddressRefused);
  });

  test.each(["example.com", "example.com.", "xn--bcher-kva.example.com", "localhost.example.com"])(
    "%s is accepted",
    async (name) => {
      expect(policy().faultOf(`https://${name}/hook`)).toBeUndefined();
      expect(await policy().resolve(new URL(`https://${name}/hook`))).toBe("8.8.8.8");
    },
  );

  test.each([
    "127.0.0.1.",
    "0x7f.1.",
    "0",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "100.64.0.1",
    "169.254.169.254",
  ])("the address %s is refused at delivery too", async (host) => {
    await expect(policy().resolve(new URL(`https://${host}/hook`))).rejects.toThrow(AddressRefused);
  });
});
