import { sleep } from "../../lib/core/time.ts";
import { seconds } from "../stack/progress.ts";
import { ScaleFailure } from "./failure.ts";
import type { Deadlines } from "./job_group.ts";
import type { Report } from "./report.ts";
import { readAssignments } from "./shards_now.ts";
import type { Target } from "./target.ts";

/** A move as the API tells of it. */
export type Move = {
  id: string;
  business_id: string;
  from_shard: number;
  to_shard: number;
  status: "under_way" | "done" | "rolled_back";
  step: string;
  error: string | null;
  silent_ms: number | null;
};

export type Planned = Pick<Move, "business_id" | "from_shard" | "to_shard">;

export type RebalanceRequest = {
  dry_run?: boolean;
  /** Most moves to begin. */
  max?: number;
  /** Shards that everybody is to leave. */
  drain?: number[];
};

const pollMs = 200;

/** How many moves one request begins. */
const batch = 200;

/** Rounds in which moves are rolled back and tried again before somebody must look. */
const rounds = 3;

export async function rebalance<D extends boolean>(
  { api }: Target,
  request: RebalanceRequest & { dry_run: D },
): Promise<(D extends true ? Planned : Move)[]> {
  return (await api<{ data: (D extends true ? Planned : Move)[] }>("POST", "/v1/admin/rebalance", request)).data;
}

/** Moves that are not over. */
export async function movesUnderWay({ api }: Target): Promise<Move[]> {
  return (await api<{ data: Move[] }>("GET", "/v1/admin/moves?status=under_way&limit=200")).data;
}

/** Follows moves to their end, with progress; gives them back as they ended. */
export async function followMoves(target: Target, moves: readonly Move[], report: Report, { deadlineMs }: Deadlines): Promise<Move[]> {
  const began = performance.now();
  const ended = new Map<string, Move>();
  for (;;) {
    const open = moves.filter(({ id }) => !ended.has(id));
    const current = await Promise.all(open.map(({ id }) => target.api<Move>("GET", `/v1/admin/moves/${id}`)));
    for (const move of current) if (move.status !== "under_way") ended.set(move.id, move);
    if (ended.size === moves.length) return moves.map(({ id }) => ended.get(id)!);
    const elapsed = performance.now() - began;
    if (elapsed > deadlineMs) {
      throw new ScaleFailure(
        `${moves.length - ended.size} of ${moves.length} moves are not over after ${seconds(elapsed)}; they go on by themselves: task rebalance -- --follow`,
      );
    }
    report.waiting(`${seconds(elapsed)}  ${ended.size} of ${moves.length} moves are over`);
    await sleep(pollMs);
  }
}

/** Moves everybody off the shards above `count`, and waits for moves that were begun before. */
export async function drainShards(target: Target, count: number, report: Report, deadlines: Deadlines): Promise<void> {
  let failures: Move[] = [];
  for (let round = 0; round < rounds;) {
    const { data } = await readAssignments(target);
    const going = data.filter(({ shard, businesses, moving }) => shard > count && businesses + moving > 0);
    if (going.length === 0) return;
    const drain = Array.from({ length: Math.max(...going.map(({ shard }) => shard)) - count }, (_, k) => count + 1 + k);
    let moved: Move[] = [];
    const living = going.reduce((sum, { businesses }) => sum + businesses, 0);
    await report.step(`moving ${living} businesses off shard ${going.map(({ shard }) => shard).join(", ")}`, async () => {
      const before = await movesUnderWay(target);
      const begun = await rebalance(target, { dry_run: false, drain, max: batch });
      const all = [...new Map([...before, ...begun].map((move) => [move.id, move])).values()];
      if (all.length === 0) throw new ScaleFailure("Businesses are to be moved, and the API plans no move for them.");
      moved = await followMoves(target, all, report, deadlines);
      const done = moved.filter(({ status }) => status === "done");
      return `moved ${done.length} businesses, the longest silent for ${Math.max(0, ...done.map(({ silent_ms }) => silent_ms ?? 0))} ms`;
    });
    failures = moved.filter(({ status }) => status === "rolled_back");
    if (failures.length > 0) round += 1;
  }
  throw new ScaleFailure(
    `${failures.length} businesses could not be moved and are where they were, for example ${failures[0]!.business_id}: ${failures[0]!.error ?? "no reason given"}`,
  );
}
