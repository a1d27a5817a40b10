import { describe, expect, test } from "bun:test";
import type { Stage } from "./stage.ts";
import { lostConnections } from "./victim.ts";

describe("lostConnections", () => {
  test.each([
    [2, 3, 2],
    [5, 3, 3],
  ])("%i replaced logins of %i sessions excuse %i", async (replaced, open, excused) => {
    const stats = { logins_replaced: 7 };
    const stage = { simulator: { stats: async () => ({ ...stats }) } } as unknown as Stage;
    const work = async () => {
      stats.logins_replaced += replaced;
    };
    expect(await lostConnections(stage, open, work)).toEqual({ lost_connections: excused });
  });
});
