import { beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { patternsIn, patternsOf, superLinear } from "./patterns.ts";
import type { Pattern } from "./patterns.ts";

const root = new URL("../..", import.meta.url).pathname;

/** Patterns that meet settings of the operator only, by the files that may hold them. */
const settingsOnly: Record<string, { files: string[]; reason: string }> = {
  "/\\/+$/": {
    reason: "trims addresses that the operator configures",
    files: [
      "lib/routing/config.ts",
      "services/calls/flow/instructions.ts",
      "services/calls/twilio/rest.ts",
      "services/calls/webhooks/signed_form.ts",
      "services/simulator/carrier/carrier.ts",
    ],
  },
};

describe("patterns applied to input", () => {
  let patterns: Pattern[];
  beforeAll(async () => {
    patterns = await patternsOf(root, ["lib", "services"]);
  });

  test("match in linear time", () => {
    expect(patterns.length).toBeGreaterThan(50);
    const faults = patterns.flatMap(({ text, files }) => {
      const meetInput = files.filter((file) => !settingsOnly[text]?.files.includes(file));
      const fault = meetInput.length === 0 ? undefined : superLinear(text);
      return fault === undefined ? [] : [`${meetInput.join(", ")}: ${text}: ${fault}`];
    });
    expect(faults).toEqual([]);
  });

  test("match in linear time where they are zod's", () => {
    const { regexes } = z;
    const fixed = Object.values(regexes).filter((value) => value instanceof RegExp);
    const made = [
      regexes.uuid(),
      regexes.time({ precision: -1 }),
      regexes.datetime({ offset: true, local: true }),
      regexes.datetime({ precision: -1, local: true }),
      regexes.string({ minimum: 1, maximum: 64 }),
    ];
    expect(fixed.length).toBeGreaterThan(20);
    const faults = [...fixed, ...made].flatMap((pattern) => {
      const fault = superLinear(String(pattern));
      return fault === undefined ? [] : [`${String(pattern)}: ${fault}`];
    });
    expect(faults).toEqual([]);
  });

  test("have no stale exceptions", () => {
    for (const [text, { files }] of Object.entries(settingsOnly)) {
      const holding = patterns.find((pattern) => pattern.text === text)?.files ?? [];
      expect(files.filter((file) => !holding.includes(file))).toEqual([]);
    }
  });
});

describe("superLinear", () => {
  test("reports patterns that backtrack", () => {
    for (const pattern of [
      "/\\{\\{\\s*([^{}]*?)\\s*\\}\\}/g",
      "/^(a+)+$/",
      "/\\s+$/",
      "/a.*b.*c$/",
      "/(\\w|\\d)*!/",
      "new RegExp(text)",
    ]) {
      expect(superLinear(pattern), pattern).toBeString();
    }
  });

  test("accepts patterns that do not", () => {
    for (const pattern of ["/^[a-z]{1,64}$/", "/\\{\\{([^{}]*)\\}\\}/g", "/^\\s*(\\w+):/", "/[\\u0000-\\u001f]/g"]) {
      expect(superLinear(pattern), pattern).toBeUndefined();
    }
  });

  test("finds literals and constructors", () => {
    expect(patternsIn("x.ts", 'const a = /x+/u; text.replace(/\\/y/g, "/z/"); new RegExp(a); RegExp("b");')).toEqual([
      "/x+/u",
      "/\\/y/g",
      "new RegExp(a)",
      'RegExp("b")',
    ]);
  });
});
