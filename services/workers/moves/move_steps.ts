import { createHash } from "node:crypto";
import { AppError } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { advanceMove, fenceMove, finishMove, forPlatform, switchMove } from "../../../lib/db/index.ts";
import type { Move, MoveStep } from "../../../lib/db/index.ts";
import type { MoveOrder, ShardLocation } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { wakeOutboxes } from "../sending/wake_outboxes.ts";

/** How long the workers have for what the source had journaled of the business: a run takes milliseconds. */
const journalMs = 10_000;
/** How long the fence stays for a login that does not open: then its messages wait for it as they do elsewhere. */
const openMs = 15_000;
const pollMs = 40;

type Place = { deps: Deps; move: Move; order: MoveOrder; source: () => ShardLocation; target: () => ShardLocation };

/** Does what comes after the step at which the move stands, and writes it down. Throws AppError where it cannot be done now, or at all. */
export async function takeStep(deps: Deps, move: Move): Promise<void> {
  await next[move.step]({
    deps,
    move,
    order: { move_id: move.id, fence: move.fence ?? 0, from: move.from_shard, to: move.to_shard },
    source: () => deps.router.shard(move.from_shard),
    target: () => deps.router.shard(move.to_shard),
  });
}

const next: Record<MoveStep, (place: Place) => Promise<void>> = {
  requested: fence,
  fenced: stop,
  stopped: carry,
  taken: bury,
  tombstoned: async ({ deps, move }) => void (await switchMove(forPlatform(deps.db), move.id)),
  switched: open,
  opened: awaitOpen,
  rolling_back: goBack,
  done: async () => {},
  rolled_back: async () => {},
};

async function fence({ deps, move, source, target }: Place): Promise<void> {
  // Both must be there before the business falls silent.
  await Promise.all([deps.moves.departures(source()), deps.moves.departures(target())]);
  const platform = forPlatform(deps.db);
  if ((await fenceMove(platform, move.id)) !== undefined) return;
  const error = "The business is gone, or lives on another shard by now.";
  await finishMove(platform, { id: move.id, from: "requested", to: "rolled_back", error });
}

/** The session is closed, and Postgres has everything that the source wrote down of it. */
async function stop({ deps, move, order, source }: Place): Promise<void> {
  const end = performance.now() + journalMs;
  for (let look = 0; ; look++) {
    const { journal } = await deps.moves.stop(source(), move.business_id, order);
    if (journal === 0) break;
    if (performance.now() > end) {
      throw new AppError(
        "conflict",
        `The workers did not fetch ${journal} entries of the business from shard ${order.from} in time; do they run?`,
      );
    }
    if (look % 10 === 0) await fetchJournal(deps, order.from);
    await sleep(pollMs);
  }
  await advanceMove(forPlatform(deps.db), { id: move.id, from: "fenced", to: "stopped" });
}

/** The shard wakes for its journal itself; this ends the wait of a run that was postponed. */
async function fetchJournal({ producer }: Deps, shard: number): Promise<void> {
  const wake = (["inbound", "receipts", "session_events"] as const).map((job) =>
    producer.wake(job, { shard }, { expedite: true }),
  );
  await Promise.allSettled(wake);
}

async function carry({ deps, move, order, source, target }: Place): Promise<void> {
  const key = await deps.moves.key(target(), move.business_id, order);
  const bundle = await deps.moves.bundle(source(), move.business_id, order, key);
  const sent = createHash("sha256").update(bundle).digest("hex");
  const checksum = await deps.moves.take(target(), move.business_id, order, bundle);
  if (checksum !== sent)
    throw new AppError("conflict", `Shard ${order.to} took something else than shard ${order.from} gave.`);
  await advanceMove(forPlatform(deps.db), { id: move.id, from: "stopped", to: "taken", checksum });
}

async function bury({ deps, move, order, source }: Place): Promise<void> {
  await deps.moves.tombstone(source(), move.business_id, order);
  await advanceMove(forPlatform(deps.db), { id: move.id, from: "taken", to: "tombstoned" });
}

async function open({ deps, move, order, target }: Place): Promise<void> {
  await deps.moves.open(target(), move.business_id, order);
  await advanceMove(forPlatform(deps.db), { id: move.id, from: "switched", to: "opened" });
}

/** The fence falls when the login is open, or is not going to be. */
async function awaitOpen({ deps, move, target }: Place): Promise<void> {
  const end = move.updated_at.getTime() + openMs;
  while (Date.now() < end && (await isOpening(deps, target, move.business_id))) await sleep(pollMs);
  await finish(deps, move, { from: "opened", to: "done" });
}

async function isOpening(deps: Deps, target: () => ShardLocation, businessId: string): Promise<boolean> {
  try {
    return (await deps.shards.view(target(), businessId)).status === "connecting";
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // There never was a login; anything else passes.
    return error.code !== "not_found";
  }
}

async function goBack({ deps, move, order, source, target }: Place): Promise<void> {
  // What the target keeps aside opens by no other order than this move's, which is over: it may stay if the target is away.
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
  deps.logger.info({ move_id: id, business_id, from_shard, to_shard, step, error, silent_ms: silentMs }, "move");
  // What waited in the outbox goes out; if this is lost, the sweep does it.
  await wakeOutboxes(deps, [business_id]);
}
