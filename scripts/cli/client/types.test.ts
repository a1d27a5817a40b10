import { expect, test } from "bun:test";
import { join } from "node:path";
import { typesFile, typesOfTheApi } from "./types.ts";

test("the client's types match the API's current document", async () => {
  const kept = await Bun.file(join(import.meta.dir, "../../..", typesFile)).text();
  expect(kept === (await typesOfTheApi()), "run `task client` to generate them again").toBeTrue();
});
