import { describe, expect, test } from "bun:test";
import { createBusiness } from "../../testing/business.ts";
import { listMessages } from "../index.ts";
import { send, useDatabase } from "../testing/outbox.ts";

const stage = useDatabase();

describe("listMessages", () => {
  test("lists messages newest first with filters", async () => {
    const scope = await createBusiness(stage.database.db);
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await send(scope, n === 0 ? "9@g.us" : "1@g.us"));
    const list = async (filter: Omit<Parameters<typeof listMessages>[1], "limit">, limit = 50) =>
      (await listMessages(scope, { ...filter, limit })).map((row) => row.id);
    expect(await list({})).toEqual(ids.toReversed());
    expect(await list({ chat: "9@g.us" })).toEqual([ids[0]!]);
    expect(await list({ direction: "inbound" })).toEqual([]);
    expect(await list({ status: "queued", before: ids[2]! }, 1)).toEqual([ids[1]!]);
  });
});
