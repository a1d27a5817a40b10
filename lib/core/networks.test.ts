import { describe, expect, test } from "bun:test";
import { parseNetworks, subscriberOf } from "./networks.ts";

describe("parseNetworks", () => {
  test("includes only its own addresses", () => {
    const networks = parseNetworks(["127.0.0.0/8", "fd00::/8"]);
    for (const address of ["127.0.0.1", "::ffff:127.3.2.1", "fd12::1"])
      expect([address, networks.includes(address)]).toEqual([address, true]);
    for (const address of ["128.0.0.1", "::1", "fe80::1", "x", ""])
      expect([address, networks.includes(address)]).toEqual([address, false]);
  });

  test.each(["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", "10.0.0.0/", "10.0.0.0/-1"])("refuses %p", (text) => {
    expect(() => parseNetworks([text])).toThrow(TypeError);
  });
});

describe("subscriberOf", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:0001:2::9", "2001:db8:1:2::/64"],
    ["2001:db8::9", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ])("maps %s to %s", (address, subscriber) => expect(subscriberOf(address)).toBe(subscriber));

  test("returns undefined for a host name", () => expect(subscriberOf("example.com")).toBeUndefined());
});
