import { describe, expect, test } from "bun:test";
import { formatMaintenance, parseMaintenance } from "./maintenance_setting.ts";

describe("the maintenance setting", () => {
  test("keeps its seconds and addresses", () => {
    const setting = { retryAfterS: 600, allowed: ["10.0.0.7", "2001:db8::7"] };
    expect(parseMaintenance(formatMaintenance(setting))).toEqual(setting);
  });

  test("names each address once, as nginx refuses a second", () => {
    expect(formatMaintenance({ retryAfterS: 5, allowed: ["10.0.0.7", "10.0.0.7"] })).toBe("5 10.0.0.7");
  });

  test.each([undefined, "", "off", "soon", "600000", "600 10.0.0.0/8", "600  10.0.0.7", "600 x; }"])(
    "%j is off",
    (text) => {
      expect(parseMaintenance(text)).toBeNull();
    },
  );
});
