import { describe, expect, test } from "bun:test";
import { chooseNetwork, collisionsOf, networksInUse, rangeOf } from "./addresses.ts";

describe("chooseNetwork", () => {
  test("takes the first network that is free", () => {
    expect(chooseNetwork([])).toBe("198.18.0");
    expect(chooseNetwork(["198.18.0.0/23", "192.0.2.2/24", "default"])).toBe("198.18.2");
  });

  test("refuses an overlap and names it", () => {
    expect(() => chooseNetwork(["198.18.7.9/32"], "198.18.7")).toThrow("overlaps 198.18.7.9/32");
    expect(() => chooseNetwork(["198.18.0.0/15"])).toThrow("uses 198.18.0.0/15 already");
  });

  test("takes the asked network if it is free", () => {
    expect(chooseNetwork(["198.18.0.0/24"], "198.19.4")).toBe("198.19.4");
  });
});

describe("collisionsOf", () => {
  test("finds networks within, around and equal", () => {
    const taken = ["198.18.5.128/25", "198.18.0.0/16", "198.18.5.0/24", "198.18.6.0/24", "198.18.4.0/24"];
    expect(collisionsOf("198.18.5", taken)).toEqual(["198.18.5.128/25", "198.18.0.0/16", "198.18.5.0/24"]);
  });
});

test("rangeOf parses an interface's address as its network", () => {
  expect(rangeOf("198.18.5.77/24")).toEqual(rangeOf("198.18.5.0/24"));
  expect(rangeOf("fe80::1/64")).toBeNull();
});

test("networksInUse lists loopback", async () => {
  expect(await networksInUse()).toContain("127.0.0.1/8");
});
