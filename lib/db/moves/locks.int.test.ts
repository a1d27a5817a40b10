import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../core/ids.ts";
import { besideOrderedLocks, lockRow } from "../../testing/lock_order.ts";
import { useBusiness } from "../../testing/use_business.ts";
import { beginMoves, fenceMove, finishMove, switchMove } from "../index.ts";

const { database, platform, scope } = useBusiness();

describe("businesses are locked before their moves:", () => {
  const steps = {
    fenceMove: { prepare: async () => {}, run: (id: string) => fenceMove(platform(), id) },
    switchMove: {
      prepare: async (id: string) => {
        await fenceMove(platform(), id);
        await database().owner`update moves set step = 'tombstoned', checksum = ${"0".repeat(64)} where id = ${id}`;
      },
      run: (id: string) => switchMove(platform(), id),
    },
    finishMove: {
      prepare: (id: string) => fenceMove(platform(), id),
      run: (id: string) => finishMove(platform(), { id, from: "fenced", to: "rolled_back" }),
    },
  };
  test.each(Object.entries(steps))("%s", async (_, { prepare, run }) => {
    const id = uuidv7();
    await beginMoves(platform(), [{ id, business_id: scope().businessId, to_shard: 2 }]);
    await prepare(id);
    const locks = [lockRow("businesses", scope().businessId), lockRow("moves", id)] as const;
    expect(await besideOrderedLocks(database(), locks, () => run(id))).toMatchObject({ id });
  });
});
