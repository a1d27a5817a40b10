import { expect, test } from "bun:test";
import { assertMeId, initAuthCreds } from "@whiskeysockets/baileys";
import { ConnectionClosed, isSurvivable } from "./survivable.ts";

test("what Baileys left behind concerns its session only, what is our own ends the process", async () => {
  const ofBaileys = await Promise.resolve(initAuthCreds())
    .then((creds) => assertMeId(creds))
    .catch((error: unknown) => error);
  expect(isSurvivable(ofBaileys)).toBeTrue();
  expect(isSurvivable(new ConnectionClosed())).toBeTrue();
  expect(isSurvivable(new Error("a fault of ours"))).toBeFalse();
  expect(isSurvivable("not an error")).toBeFalse();
});
