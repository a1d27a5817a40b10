import { sharedNow } from "../../../lib/core/time.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import { advanceMove, forPlatform, getMove, noteMoveError } from "../../../lib/db/index.ts";
import type { Move } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { isTransient, takeTurn } from "../turn.ts";
import type { Step, TurnOptions } from "../turn.ts";
import { takeStep } from "./move_steps.ts";

const heldMs = 500;

/** Backoff before the fence: the business still sends, so an unavailable shard is polled slowly. */
const unfencedDelay = { baseMs: 500, maxMs: 5_000 };
/** Backoff behind the fence: the business is silent, and a killed shard is back within half a second. */
const fencedDelay = { baseMs: 50, maxMs: 1_000 };

/** Longest silence of a business before its move is rolled back, as long as a rollback is possible. */
export const maxSilenceMs = 15_000;

/**
 * Moves a business to another shard: takes one step after the other and records each, so that any worker can continue.
 * Every step is idempotent. Runs in the group low: moves mostly wait for shards and Postgres, no urgent job of that
 * group waits behind them, and a business that waits for its move still sends.
 */
export function move(deps: Deps): Handler<"move"> {
  const platform = forPlatform(deps.db);
  return (run) => {
    const id = run.payload.move_id;
    const counts: Record<string, number> = {};
    let progressed = false;
    const options: TurnOptions<typeof counts> = {
      lease: `prosaas:lease:move:${id}`,
      heldMs,
      counts,
      hasProgressed: () => progressed,
      retryDelay: fencedDelay,
    };

    return takeTurn(deps, run, options, (turn) =>
      turn.repeat(async () => {
        const current = await getMove(platform, id);
        if (current === undefined || current.finished_at !== null) {
          counts[current?.step ?? "moved"] = current === undefined ? 0 : 1;
          return "done";
        }
        try {
          await takeStep(deps, current);
          progressed = true;
          return "more";
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          return handleFailure(deps, current, error, turn.attempt());
        }
      }),
    );
  };
}

/** Decides what follows a failed step: a retry after a backoff, or the rollback. */
async function handleFailure(
  deps: Deps,
  { id, step, business_id, fenced_at }: Move,
  error: AppError,
  attempt: number,
): Promise<Step> {
  const { message } = error;
  const platform = forPlatform(deps.db);
  const transient = isTransient(error);
  if (step === "fenced" || step === "stopped") {
    const silentMs = fenced_at === null ? 0 : sharedNow() - fenced_at.getTime();
    if (!transient || silentMs > maxSilenceMs) {
      await advanceMove(platform, { id, from: step, to: "rolling_back", error: message });
      return "more";
    }
  }
  await noteMoveError(platform, id, message).catch(() => {});
  if (!transient) {
    deps.logger.error({ alarm: true, move_id: id, business_id, step, error }, "a move needs attention");
  }
  const delay = step === "requested" ? unfencedDelay : fencedDelay;
  return { inMs: backoff({ attempt, ...delay }), reason: message };
}
