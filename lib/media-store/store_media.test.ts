import { describe, expect, test } from "bun:test";
import { AppError } from "../core/errors.ts";
import type { Statement } from "../db/client/literal.ts";
import { textOf } from "../db/client/literal.ts";
import type { BusinessScope } from "../db/index.ts";
import type { SealedStore } from "../storage/index.ts";
import { storeMedia } from "./store_media.ts";

const businessId = crypto.randomUUID();

describe("storeMedia", () => {
  test("discards the media after the request's deadline", async () => {
    let expired = false;
    const scope = {
      businessId,
      ask: () => (expired ? Promise.reject(new AppError("unavailable", "too late")) : Promise.resolve({ count: 1 })),
    } as unknown as BusinessScope;
    const statements: string[] = [];
    const cleanup = {
      businessId,
      ask: (statement: Statement) => Promise.resolve(statements.push(textOf(statement))),
    } as unknown as BusinessScope;
    const store = {
      put: () => {
        expired = true;
        return Promise.reject(new Error("the upload was cut off"));
      },
    } as unknown as SealedStore;
    const bytes = (async function* () {})();
    await expect(storeMedia(scope, store, bytes, { maxBytes: 1_000, cleanup })).rejects.toThrow("cut off");
    expect(statements).toHaveLength(1);
    expect(statements[0]).toContain("deleted_at = now()");
  });
});
