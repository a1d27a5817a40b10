import { describe, expect, test } from "bun:test";
import { AppError } from "../../../lib/core/errors.ts";
import type { ErrorCode } from "../../../lib/core/errors.ts";
import type { BusinessScope } from "../../../lib/db/index.ts";
import { accountNames, checkOptOuts } from "./check_opt_outs.ts";

const business = { id: "0197a000-0000-7000-8000-000000000001", whatsapp_shard: 1 };
const number = "15550000001";
const jid = `${number}@s.whatsapp.net`;

/** Checks an opt-out at a shard that refuses. */
const refusedWith = (code: ErrorCode, { paired = false } = {}) => {
  const scope = { businessId: business.id, ask: async () => [{ chat: jid, paired }] } as unknown as BusinessScope;
  const deps = {
    shardChats: { checkNumbers: () => Promise.reject(new AppError(code, "refused", { retryAfterS: 3 })) },
    router: { locate: () => ({}) },
  } as unknown as Parameters<typeof checkOptOuts>[0];
  return checkOptOuts(deps, scope, business);
};

describe("a check of opt-outs", () => {
  test.each(["unavailable", "rate_limited", "upstream_timeout"] as const)("waits after %s", async (code) => {
    expect(await refusedWith(code)).toMatchObject({ inMs: 3_000 });
  });

  test.each(["not_found", "conflict", "invalid_request", "forbidden"] as const)(
    "lets the shard refuse the messages after %s",
    async (code) => {
      expect(await refusedWith(code)).toBeUndefined();
    },
  );

  test("waits until a paired session is open", async () => {
    expect(await refusedWith("not_found", { paired: true })).toMatchObject({ inMs: 3_000 });
  });

  test("fails with the shard's fault", async () => {
    expect(await refusedWith("internal").catch((error: unknown) => error)).toMatchObject({ code: "internal" });
  });

  test("learns numbers alone", () => {
    const account = "15550000002@s.whatsapp.net";
    const checked = [
      { number, on_whatsapp: true, jid: account },
      { number, on_whatsapp: true, jid: "777@lid" },
      { number, on_whatsapp: false },
    ];
    expect(accountNames(business.id, checked)).toEqual([{ business_id: business.id, alias: jid, chat: account }]);
  });
});
