import { sharedNow } from "../../../lib/core/time.ts";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import { advanceMove, forPlatform, getMove, noteMoveError } from "../../../lib/db/index.ts";
import type { Move } from "../../../lib/db/index.ts";
import type { Handler, Run, RunResult } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { withLease } from "../lease.ts";
import { takeStep } from "./move_steps.ts";

/** Another run carries this move out: it is about to end, or its worker died and the lease has seconds to live. */
const heldMs = 500;

/** Nobody is silent before the fence: a shard that is away is waited for without haste. */
const unhurried = { baseMs: 500, maxMs: 5_000 };
/** The business is silent: a shard that was killed is back within half a second. */
const hurried = { baseMs: 50, maxMs: 1_000 };

/** A business is silent for this long in vain, at the most, before its move is rolled back; as long as that is possible. */
const patienceMs = 15_000;

/**
 * Moves a business from one shard to another: takes one step after the other and writes each down, so that any worker
 * can go on from there. Idempotent at every point. Runs in the group low: it waits for shards and for Postgres most
 * of the time, nothing urgent is queued there that it could hold up, and a few at once are enough, because those
 * that wait for their turn are not silent.
 */
export function move(deps: Deps): Handler<"move"> {
  return async (run) => {
    const key = `prosaas:lease:move:${run.payload.move_id}`;
    try {
      const result = await withLease(deps, key, (lost) => carryOut(deps, run, lost));
      return result ?? { again: { inMs: heldMs, reason: "another worker carries this move out" } };
    } catch (error) {
      // Postgres is away.
      if (!isPassing(error)) throw error;
      return { again: { inMs: backoff({ attempt: run.attempt, ...hurried }), reason: error.message } };
    }
  };
}

async function carryOut(deps: Deps, run: Run<"move">, lost: AbortSignal): Promise<RunResult> {
  const platform = forPlatform(deps.db);
  const id = run.payload.move_id;
  let progressed = false;
  for (;;) {
    run.signal.throwIfAborted();
    if (lost.aborted) return { again: { inMs: heldMs, reason: "the lease ran out", progressed } };
    if (run.stopping.aborted) return { again: { inMs: 0, reason: "the worker is stopping", progressed } };
    const present = await getMove(platform, id);
    if (present === undefined) return { counts: { moved: 0 } };
    if (present.finished_at !== null) return { counts: { [present.step]: 1 } };
    try {
      await takeStep(deps, present);
      progressed = true;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const inMs = await heldUp(deps, present, error, progressed ? 1 : run.attempt);
      if (inMs === null) continue;
      return { again: { inMs, reason: error.message, progressed } };
    }
  }
}

function isPassing(error: unknown): error is AppError {
  return error instanceof AppError && (error.code === "unavailable" || error.code === "upstream_timeout");
}

/** What to do about a step that failed: milliseconds to wait before it is tried again, or null where the move goes back instead. */
async function heldUp(
  deps: Deps,
  { id, step, business_id, fenced_at }: Move,
  error: AppError,
  attempt: number,
): Promise<number | null> {
  const { message, cause } = error;
  const platform = forPlatform(deps.db);
  const passing = isPassing(error);
  if (step === "fenced" || step === "stopped") {
    const silentMs = fenced_at === null ? 0 : sharedNow() - fenced_at.getTime();
    if (!passing || silentMs > patienceMs) {
      await advanceMove(platform, { id, from: step, to: "rolling_back", error: message });
      return null;
    }
  }
  await noteMoveError(platform, id, message).catch(() => {});
  if (!passing) {
    deps.logger.error(
      { alarm: true, move_id: id, business_id, step, error: message, cause: messageOf(cause ?? "") },
      "a move needs attention",
    );
  }
  return backoff({ attempt, ...(step === "requested" ? unhurried : hurried) });
}
