import { expect, test } from "bun:test";
import { assertMeId, initAuthCreds } from "@whiskeysockets/baileys";
import { ConnectionOver, isStray } from "./stray.ts";

test("what Baileys left behind concerns its session only, what is our own ends the process", async () => {
  const ofBaileys = await Promise.resolve(initAuthCreds())
    .then((creds) => assertMeId(creds))
    .catch((error: unknown) => error);
  expect(isStray(ofBaileys)).toBeTrue();
  expect(isStray(new ConnectionOver())).toBeTrue();
  expect(isStray(new Error("a fault of ours"))).toBeFalse();
  expect(isStray("not an error")).toBeFalse();
});
