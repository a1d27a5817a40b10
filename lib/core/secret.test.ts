import { expect, test } from "bun:test";
import { randomToken, safeEqual, sha256Hex } from "./secret.ts";

test("safeEqual compares strings of any length", () => {
  expect(safeEqual("abc", "abc")).toBeTrue();
  expect(safeEqual("abc", "abd")).toBeFalse();
  expect(safeEqual("abc", "abcd")).toBeFalse();
  expect(safeEqual("", "")).toBeTrue();
});

test("sha256Hex matches the example of FIPS 180-2", () => {
  expect(sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("randomToken has 32 bytes and fits a header", () => {
  expect(randomToken()).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(randomToken()).not.toBe(randomToken());
});
