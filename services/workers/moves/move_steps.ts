import { createHash } from "node:crypto";
import { AppError } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { advanceMove, fenceMove, finishMove, forPlatform, switchMove } from "../../../lib/db/index.ts";
import type { Move, MoveStep } from "../../../lib/db/index.ts";
import type { MoveOrder, ShardLocation } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { wakeOutboxes } from "../sending/wake_outboxes.ts";

/** Timeout for draining the source's journal of the business: a run takes milliseconds. */
const journalMs = 10_000;
/**
 * The fence stays this long for a session that does not open; after that its messages wait as for any closed session.
 */
const openMs = 15_000;
const pollMs = 40;

type StepContext = {
  deps: Deps;
  move: Move;
  order: MoveOrder;
  source: () => ShardLocation;
  target: () => ShardLocation;
};

/** Performs the step after `move.step` and records it. Throws AppError if it fails, for now or permanently. */
export async function takeStep(deps: Deps, move: Move): Promise<void> {
  await next[move.step]({
    deps,
    move,
    order: { move_id: move.id, fence: move.fence ?? 0, from: move.from_shard, to: move.to_shard },
    source: () => deps.router.shard(move.from_shard),
    target: () => deps.router.shard(move.to_shard),
  });
}

const next: Record<MoveStep, (context: StepContext) => Promise<void>> = {
  requested: fence,
  fenced: stop,
  stopped: carry,
  taken: tombstone,
  tombstoned: async ({ deps, move }) => void (await switchMove(forPlatform(deps.db), move.id)),
  switched: open,
  opened: awaitOpen,
  rolling_back: rollBack,
  done: async () => {},
  rolled_back: async () => {},
};

async function fence({ deps, move, source, target }: StepContext): Promise<void> {
  // Both shards must be reachable before the business falls silent.
  await Promise.all([deps.moves.departures(source()), deps.moves.departures(target())]);
  const platform = forPlatform(deps.db);
  if ((await fenceMove(platform, move.id)) !== undefined) return;
  const error = "The business was deleted or lives on another shard now.";
  await finishMove(platform, { id: move.id, from: "requested", to: "rolled_back", error });
}

/** Closes the session and waits until Postgres has all of its journal. */
async function stop({ deps, move, order, source }: StepContext): Promise<void> {
  const end = performance.now() + journalMs;
  for (let look = 0; ; look++) {
    const { journal } = await deps.moves.stop(source(), move.business_id, order);
    if (journal === 0) break;
    if (performance.now() > end) {
      throw new AppError(
        "conflict",
        `Shard ${order.from} still journals ${journal} entries of the business; check that the workers run.`,
      );
    }
    if (look % 10 === 0) await fetchJournal(deps, order.from);
    await sleep(pollMs);
  }
  await advanceMove(forPlatform(deps.db), { id: move.id, from: "fenced", to: "stopped" });
}

/** Ends the wait of postponed runs. The shard itself wakes the others. */
async function fetchJournal({ producer }: Deps, shard: number): Promise<void> {
  const wake = (["inbound", "receipts", "session_events", "identities"] as const).map((job) =>
    producer.wake(job, { shard }, { expedite: true }),
  );
  await Promise.allSettled(wake);
}

async function carry({ deps, move, order, source, target }: StepContext): Promise<void> {
  const key = await deps.moves.key(target(), move.business_id, order);
  const bundle = await deps.moves.bundle(source(), move.business_id, order, key);
  const sent = createHash("sha256").update(bundle).digest("hex");
  const checksum = await deps.moves.take(target(), move.business_id, order, bundle);
  if (checksum !== sent)
    throw new AppError("conflict", `Shard ${order.to} received another bundle than shard ${order.from} sent.`);
  await advanceMove(forPlatform(deps.db), { id: move.id, from: "stopped", to: "taken", checksum });
}

async function tombstone({ deps, move, order, source }: StepContext): Promise<void> {
  await deps.moves.tombstone(source(), move.business_id, order);
  await advanceMove(forPlatform(deps.db), { id: move.id, from: "taken", to: "tombstoned" });
}

async function open({ deps, move, order, target }: StepContext): Promise<void> {
  await deps.moves.open(target(), move.business_id, order);
  await advanceMove(forPlatform(deps.db), { id: move.id, from: "switched", to: "opened" });
}

/** Lifts the fence once the session is open or will not open. */
async function awaitOpen({ deps, move, target }: StepContext): Promise<void> {
  const end = move.updated_at.getTime() + openMs;
  while (Date.now() < end && (await isOpening(deps, target, move.business_id))) await sleep(pollMs);
  await finish(deps, move, { from: "opened", to: "done" });
}

async function isOpening(deps: Deps, target: () => ShardLocation, businessId: string): Promise<boolean> {
  try {
    return (await deps.shards.view(target(), businessId)).status === "connecting";
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // A business without a session; any other error is transient.
    return error.code !== "not_found";
  }
}

async function rollBack({ deps, move, order, source, target }: StepContext): Promise<void> {
  // Only this move's order can open the target's copy, and the move is over: it may stay while the target is down.
  await tolerate(() => deps.moves.discard(target(), move.business_id, order));
  await deps.moves.reopen(source(), move.business_id, order);
  await finish(deps, move, { from: "rolling_back", to: "rolled_back", error: move.error ?? undefined });
}

async function tolerate(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
  }
}

async function finish(
  deps: Deps,
  move: Move,
  end: { from: "opened" | "rolling_back"; to: "done" | "rolled_back"; error?: string | undefined },
) {
  const finished = await finishMove(forPlatform(deps.db), { id: move.id, ...end });
  if (finished === undefined) return;
  const silentMs = finished.finished_at!.getTime() - (finished.fenced_at ?? finished.finished_at!).getTime();
  deps.metrics.moved(end.to, silentMs);
  const { id, business_id, from_shard, to_shard, step, error } = finished;
  deps.logger.info(
    { move_id: id, business_id, from_shard, to_shard, step, error, silent_ms: silentMs },
    "move finished",
  );
  // Best effort: the sweep retries a lost wake-up.
  await wakeOutboxes(deps, [business_id]);
}
