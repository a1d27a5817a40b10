import type { Deadlines } from "../job_group.ts";
import { emptyShards } from "../moves.ts";
import type { Report } from "../report.ts";
import { awaitJournals } from "../shards_down.ts";
import type { Target } from "../target.ts";
import type { DepartureOptions, PlannedRelocation } from "./plan_relocations.ts";

/**
 * Moves the businesses off cordoned shards, and waits until Postgres has their journals. A business that connected for
 * the first time during the moves is moved by the last of them, because the shards get no other one.
 */
export async function emptyCordoned(
  target: Target,
  planned: readonly PlannedRelocation[],
  { maxSessions }: Pick<DepartureOptions, "maxSessions">,
  report: Report,
  deadlines: Deadlines,
): Promise<void> {
  const shards = planned.filter(({ how }) => how !== "copy").map(({ shard }) => shard);
  if (shards.length === 0) return;
  await emptyShards(target, { isLeft: (shard) => shards.includes(shard), maxSessions }, report, deadlines);
  await report.step(`the journal of shard ${shards.join(", ")} is empty`, () =>
    awaitJournals(target, shards, report, deadlines),
  );
}
