import { describe, expect, test } from "bun:test";
import { assertMeId, initAuthCreds } from "@whiskeysockets/baileys";
import { ConnectionClosed, isSurvivable } from "./survivable.ts";

describe("isSurvivable", () => {
  test("accepts rejections of Baileys, not errors of ours", async () => {
    const ofBaileys = await Promise.resolve(initAuthCreds())
      .then((creds) => assertMeId(creds))
      .catch((error: unknown) => error);
    expect(isSurvivable(ofBaileys)).toBeTrue();
    expect(isSurvivable(new ConnectionClosed())).toBeTrue();
    expect(isSurvivable(new Error("a fault of ours"))).toBeFalse();
    expect(isSurvivable("not an error")).toBeFalse();
  });
});
