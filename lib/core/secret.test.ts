import { expect, test } from "bun:test";
import { randomToken, safeEqual, sha256Hex } from "./secret.ts";

test("equal strings are equal, others are not, whatever their lengths", () => {
  expect(safeEqual("abc", "abc")).toBeTrue();
  expect(safeEqual("abc", "abd")).toBeFalse();
  expect(safeEqual("abc", "abcd")).toBeFalse();
  expect(safeEqual("", "")).toBeTrue();
});

test("sha256Hex agrees with FIPS 180-2's example", () => {
  expect(sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("tokens carry the asked entropy and fit a header", () => {
  expect(randomToken()).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(randomToken()).not.toBe(randomToken());
});
