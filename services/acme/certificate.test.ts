import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeTemporary, reasonToRenew, requireUsable } from "./certificate.ts";
import type { Pair } from "./certificate.ts";

let folder: string;
let pair: Pair;
let other: Pair;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-certificate-"));
  pair = await makeTemporary("app.example.com", folder);
  other = await makeTemporary("app.example.com", folder);
});
afterAll(() => rm(folder, { recursive: true }));

// The certificates are valid for a day.
const given = (options: { domains?: string[]; renewDays?: number; inHours?: number } = {}) => ({
  domains: options.domains ?? ["app.example.com"],
  renewDays: options.renewDays ?? 0,
  now: Date.now() + (options.inHours ?? 0) * 3_600_000,
});

describe("a certificate", () => {
  test("that names all domains until its end is kept", () => {
    expect(reasonToRenew(pair.certificate, given({ inHours: 23 }))).toBeNull();
  });

  test.each([
    ["is missing", undefined, {}, "there is none"],
    ["is empty", " \n", {}, "there is none"],
    ["is no certificate", "-----BEGIN", {}, "it cannot be read"],
    ["lacks a name", null, { domains: ["app.example.com", "b.example.com"] }, "it does not name b.example.com"],
    ["ends soon", null, { renewDays: 2 }, "it ends on"],
    ["has ended", null, { inHours: 25 }, "it ends on"],
  ])("that %s is replaced", (_, pem, options, reason) => {
    expect(reasonToRenew(pem === null ? pair.certificate : pem, given(options))).toStartWith(reason);
  });

  test("without its own key is of no use", () => {
    const now = Date.now();
    expect(() => requireUsable(pair, ["app.example.com"], now)).not.toThrow();
    expect(() => requireUsable({ ...pair, key: other.key }, ["app.example.com"], now)).toThrow(
      "its key is another one",
    );
    expect(() => requireUsable(pair, ["b.example.com"], now)).toThrow("it does not name");
  });
});
