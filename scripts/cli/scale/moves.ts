import { bodyOf } from "../../../lib/api-client/index.ts";
import type { Schemas } from "../../../lib/api-client/index.ts";
import { sleep } from "../../../lib/core/time.ts";
import { allPages } from "../operator/pages.ts";
import { seconds } from "../../stack/progress.ts";
import { ScaleFailure } from "./failure.ts";
import type { Deadlines } from "./job_group.ts";
import type { Report } from "./report.ts";
import { readAssignments } from "./shards_now.ts";
import type { Target } from "./target.ts";

/** A move as the API describes it. */
export type Move = Schemas["Move"];
export type Planned = Schemas["PlannedMove"];

const pollMs = 300;

/** Moves that one request starts; also the size of a page. */
const batch = 200;

/** Retries of rolled-back moves before the command gives up. */
const rounds = 3;

/** Plans moves and starts them, unless it is a dry run. */
export function rebalance(
  { api }: Pick<Target, "api">,
  body: Schemas["Rebalance"],
): Promise<Schemas["RebalanceResult"]> {
  return bodyOf(api.POST("/v1/admin/rebalance", { body }));
}

/** Running moves, latest first. */
export function runningMoves({ api }: Pick<Target, "api">): Promise<Move[]> {
  return allPages((cursor) =>
    bodyOf(api.GET("/v1/admin/moves", { params: { query: { status: "in_progress", limit: batch, cursor } } })),
  );
}

/** The moves in progress, and those that a rebalance would start now. */
export async function planRebalance(
  target: Pick<Target, "api">,
  limits: { max: number; max_sessions: number },
): Promise<{ running: Move[]; planned: Planned[] }> {
  const running = await runningMoves(target);
  const { planned } = await rebalance(target, { dry_run: true, ...limits });
  return { running, planned };
}

/** Waits for the end of moves with progress; returns their final state. */
export async function followMoves(
  target: Target,
  moves: readonly Move[],
  report: Report,
  { deadlineMs }: Deadlines,
): Promise<Move[]> {
  const began = performance.now();
  for (;;) {
    // One request for all moves, because the operator's key has a rate limit.
    const open = new Set((await runningMoves(target)).map(({ id }) => id));
    const left = moves.filter(({ id }) => open.has(id)).length;
    if (left === 0) break;
    const elapsed = performance.now() - began;
    if (elapsed > deadlineMs) {
      throw new ScaleFailure(
        `${left} of ${moves.length} moves still run after ${seconds(elapsed)}; they continue by themselves. ` +
          "Run the command again to follow them.",
      );
    }
    report.waiting(`${seconds(elapsed)}  ${moves.length - left} of ${moves.length} moves have ended`);
    await sleep(pollMs);
  }
  return readMoves(target, moves);
}

/** The current state of moves; reads the listing down to the oldest of them. */
async function readMoves({ api }: Target, moves: readonly Move[]): Promise<Move[]> {
  const wanted = new Set(moves.map(({ id }) => id));
  const found: Move[] = [];
  let cursor: string | undefined;
  do {
    const page = await bodyOf(api.GET("/v1/admin/moves", { params: { query: { limit: batch, cursor } } }));
    found.push(...page.data.filter(({ id }) => wanted.has(id)));
    cursor = page.next_cursor ?? undefined;
  } while (found.length < wanted.size && cursor !== undefined);
  return found;
}

/** Summarises the outcome of moves. */
export function describeMoves(moves: readonly Move[]): string {
  const done = moves.filter(({ status }) => status === "done");
  const longest = Math.max(0, ...done.map(({ silent_ms }) => silent_ms ?? 0));
  const rolledBack = moves.length - done.length;
  const suffix = rolledBack > 0 ? `; ${rolledBack} rolled back` : "";
  return `moved ${done.length} businesses, the longest silent for ${longest} ms${suffix}`;
}

export type EmptiedShards = {
  /** True for a shard that every business leaves. */
  isLeft(shard: number): boolean;
  /** Most sessions on a shard that gets businesses. */
  maxSessions: number;
};

/** Moves all businesses off some shards and waits for earlier moves. */
export async function emptyShards(
  target: Target,
  { isLeft, maxSessions }: EmptiedShards,
  report: Report,
  deadlines: Deadlines,
): Promise<void> {
  let failures: Move[] = [];
  for (let round = 0; round < rounds;) {
    const { data } = await readAssignments(target);
    const going = data.filter(({ shard, businesses, moving }) => isLeft(shard) && businesses + moving > 0);
    if (going.length === 0) return;
    // The empty ones too: no business may move there.
    const numbers = Array.from({ length: Math.max(...data.map(({ shard }) => shard)) }, (_, index) => index + 1);
    const drain = numbers.filter(isLeft);
    let moved: Move[] = [];
    const living = going.reduce((sum, { businesses }) => sum + businesses, 0);
    await report.step(
      `moving ${living} businesses off shard ${going.map(({ shard }) => shard).join(", ")}`,
      async () => {
        const before = await runningMoves(target);
        const started = await rebalance(target, { dry_run: false, drain, max: batch, max_sessions: maxSessions });
        const all = [...new Map([...before, ...started.data].map((move) => [move.id, move])).values()];
        if (all.length === 0)
          throw new ScaleFailure(
            "Businesses are left on these shards, but the API plans no move for them: the other shards are full at " +
              `${maxSessions} sessions each (--max-sessions), or cordoned (task status).`,
          );
        moved = await followMoves(target, all, report, deadlines);
        return describeMoves(moved);
      },
    );
    failures = moved.filter(({ status }) => status === "rolled_back");
    if (failures.length > 0) round += 1;
  }
  throw new ScaleFailure(
    `${failures.length} businesses could not be moved and stay on their shards, ` +
      `for example ${failures[0]!.business_id}: ${failures[0]!.error ?? "no reason given"}`,
  );
}
