import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import {
  advanceMove,
  beginMoves,
  countAssignments,
  deleteBusiness,
  fenceMove,
  finishMove,
  forPlatform,
  getBusiness,
  getMove,
  getSession,
  listMoves,
  listResidents,
  noteMoveError,
  switchMove,
  unfinishedMoves,
} from "../index.ts";
import type { BusinessScope, PlatformScope } from "../index.ts";

let database: MigratedDatabase;
let platform: PlatformScope;
beforeAll(async () => {
  database = await createMigratedDatabase();
  platform = forPlatform(database.db);
});
afterAll(() => database.close());

const checksum = "a".repeat(64);

async function begun(to_shard = 2): Promise<{ business: BusinessScope; id: string }> {
  const business = await createBusiness(database.db, { shard: 1 });
  const [move] = await beginMoves(platform, [{ id: uuidv7(), business_id: business.businessId, to_shard }]);
  return { business, id: move!.id };
}

async function taken() {
  const move = await begun();
  await fenceMove(platform, move.id);
  await advanceMove(platform, { id: move.id, from: "fenced", to: "stopped" });
  await advanceMove(platform, { id: move.id, from: "stopped", to: "taken", checksum });
  return move;
}

describe("a move", () => {
  test("fences the business and switches its shard", async () => {
    const { business, id } = await begun();
    expect(await getMove(platform, id)).toMatchObject({ from_shard: 1, to_shard: 2, step: "requested", fence: null });
    expect(await fenceMove(platform, id)).toMatchObject({ step: "fenced", fence: 1, fenced_at: expect.any(Date) });
    expect(await getBusiness(business)).toMatchObject({ whatsapp_move: id, whatsapp_fence: 1, whatsapp_shard: 1 });
    await advanceMove(platform, { id, from: "fenced", to: "stopped" });
    expect(await advanceMove(platform, { id, from: "stopped", to: "taken", checksum })).toMatchObject({
      step: "taken",
      checksum,
    });
    await advanceMove(platform, { id, from: "taken", to: "tombstoned" });
    expect(await switchMove(platform, id)).toMatchObject({ step: "switched" });
    expect(await getBusiness(business)).toMatchObject({ whatsapp_move: id, whatsapp_shard: 2 });
    expect(await getSession(business)).toMatchObject({ shard: 2, paired: true });
    await advanceMove(platform, { id, from: "switched", to: "opened" });
    expect(await finishMove(platform, { id, from: "opened", to: "done" })).toMatchObject({
      step: "done",
      finished_at: expect.any(Date),
      error: null,
    });
    expect(await getBusiness(business)).toMatchObject({ whatsapp_move: null, whatsapp_shard: 2, whatsapp_fence: 1 });
    const resident = (await listResidents(platform)).find(({ business_id }) => business_id === business.businessId);
    expect(resident).toMatchObject({ shard: 2, moving: false, just_moved: true });
  });

  test("is advanced by one of two workers", async () => {
    const { id } = await begun();
    const fenced = await Promise.all([fenceMove(platform, id), fenceMove(platform, id)]);
    expect(fenced.filter((move) => move !== undefined)).toHaveLength(1);
    const step = { id, from: "fenced", to: "stopped" } as const;
    const stopped = await Promise.all([advanceMove(platform, step), advanceMove(platform, step)]);
    expect(stopped.filter((move) => move !== undefined)).toHaveLength(1);
    expect(await switchMove(platform, id)).toBeUndefined();
    expect((await getMove(platform, id))?.step).toBe("stopped");
  });

  test("excludes others and raises the fencing token", async () => {
    const { business, id } = await begun();
    const again = { id: uuidv7(), business_id: business.businessId, to_shard: 3 };
    expect(await beginMoves(platform, [again])).toEqual([]);
    await fenceMove(platform, id);
    await advanceMove(platform, { id, from: "fenced", to: "rolling_back", error: "the target is down" });
    expect(
      await finishMove(platform, { id, from: "rolling_back", to: "rolled_back", error: "the target is down" }),
    ).toMatchObject({
      error: "the target is down",
    });
    expect(await getBusiness(business)).toMatchObject({ whatsapp_move: null, whatsapp_shard: 1 });
    expect(await beginMoves(platform, [again])).toMatchObject([{ from_shard: 1, to_shard: 3 }]);
    expect(await fenceMove(platform, again.id)).toMatchObject({ fence: 2 });
  });

  test("skips unassigned, resident and deleted businesses", async () => {
    const settled = await createBusiness(database.db, { shard: 4 });
    const unconnected = await createBusiness(database.db, { paired: false });
    const gone = await createBusiness(database.db, { shard: 1 });
    await deleteBusiness(gone);
    const moves = [settled, unconnected, gone].map(({ businessId }) => ({
      id: uuidv7(),
      business_id: businessId,
      to_shard: 4,
    }));
    expect(await beginMoves(platform, [...moves, { id: uuidv7(), business_id: uuidv7(), to_shard: 4 }])).toEqual([]);
  });

  test("does not fence a deleted business", async () => {
    const { business, id } = await begun();
    await deleteBusiness(business);
    expect(await fenceMove(platform, id)).toBeUndefined();
    expect(await finishMove(platform, { id, from: "requested", to: "rolled_back", error: "gone" })).toMatchObject({
      step: "rolled_back",
    });
  });

  test("demands a checksum of the session data", async () => {
    const { id } = await begun();
    await fenceMove(platform, id);
    await advanceMove(platform, { id, from: "fenced", to: "stopped" });
    await expect(advanceMove(platform, { id, from: "stopped", to: "taken" })).rejects.toThrow();
  });

  test("is listed newest first and counted at both shards", async () => {
    const before = await countAssignments(platform);
    const { id, business } = await taken();
    await noteMoveError(platform, id, "shard 1 is down");
    expect((await listMoves(platform, { finished: false, limit: 1 }))[0]).toMatchObject({
      id,
      error: "shard 1 is down",
    });
    expect(await listMoves(platform, { business_id: business.businessId, finished: true, limit: 10 })).toEqual([]);
    expect((await unfinishedMoves(platform, { limit: 1000 })).at(-1)).toBe(id);
    const moving = (all: typeof before, shard: number) => all.find((one) => one.shard === shard)?.moving ?? 0;
    const after = await countAssignments(platform);
    for (const shard of [1, 2]) expect(moving(after, shard)).toBe(moving(before, shard) + 1);
    expect((await listResidents(platform)).find(({ business_id }) => business_id === business.businessId)).toEqual({
      business_id: business.businessId,
      shard: 2,
      paired: true,
      moving: true,
      just_moved: false,
    });
  });
});
