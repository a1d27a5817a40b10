import { describe, expect, test } from "bun:test";
import { emptyShards } from "./moves.ts";
import { createReport } from "./report.ts";
import type { Target } from "./target.ts";

const report = createReport({ waiting: () => {}, done: () => {} });

/** An API whose shards 1 and 2 have a business each, and which plans no move. */
function fullShards(): { target: Target; bodies: unknown[] } {
  const bodies: unknown[] = [];
  const answer = (data: object) => Promise.resolve({ data, response: new Response() });
  const shards = [1, 2].map((shard) => ({ shard, businesses: 1, moving: 0 }));
  const api = {
    GET: (path: string) => answer({ data: path === "/v1/admin/moves" ? [] : shards, next_cursor: null }),
    POST: (_: string, { body }: { body: unknown }) => {
      bodies.push(body);
      return answer({ data: [], planned: [] });
    },
  };
  return { target: { api } as unknown as Target, bodies };
}

describe("emptyShards", () => {
  test("bounds the sessions of other shards", async () => {
    const { target, bodies } = fullShards();
    const emptied = emptyShards(target, { isLeft: (shard) => shard > 1, maxSessions: 7 }, report, {
      deadlineMs: 1_000,
    });
    await expect(emptied).rejects.toThrow("full at 7 sessions each (--max-sessions)");
    expect(bodies).toEqual([{ dry_run: false, drain: [2], max: 200, max_sessions: 7 }]);
  });
});
