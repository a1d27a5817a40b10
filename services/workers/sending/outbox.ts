import { sharedNow } from "../../../lib/core/time.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import { forBusiness, getSender, pendingMessages, recordSendResults } from "../../../lib/db/index.ts";
import type { BusinessScope, PendingMessage, SendOutcome } from "../../../lib/db/index.ts";
import type { Run, RunResult } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { askForUploads, attachFiles } from "./files.ts";
import { bulkAmong, handOver } from "./hand_over.ts";
import { withLease } from "../lease.ts";
import type { ShardPlaces } from "./shard_slots.ts";
import { tellOfLimit } from "./limits.ts";
import { recordMoves } from "../webhooks/record.ts";
import type { Written } from "../webhooks/record.ts";

/** A business with a long outbox goes to the end of the line after so many batches, or so long, and the others get their turn. */
const batchesARun = 10;
const turnMs = 500;

/** Another run holds the lease: it is about to end, or its worker died and the lease has seconds to live. */
const heldMs = 150;

/**
 * While a shard cannot be asked. It is back within half a second of most deaths, so the first tries are quick; a
 * session that opens ends the wait before its time (default/session_events.ts).
 */
const awayDelay = { baseMs: 250, maxMs: 10_000 };

/** While a shard has as many runs as may wait for it. One that is well has a place soon, one that hangs is not asked for often. */
const placesTakenDelay = { baseMs: 50, maxMs: 5_000 };

/**
 * A message that is due again this soon is waited for by the run; a later one is left to the sweep, because new
 * messages to other chats would otherwise wait with the postponed run.
 */
const soonMs = 1_000;

/** An account that is stopped for hours is looked at again this often. */
const maxPacedMs = 60_000;

/** While the business moves to another shard; the end of the move ends this wait. */
const movingMs = 500;

/** A kind of messages, how many of them make a batch, and the places of the queue that sends them. */
export type Outbox = { ofBroadcasts: boolean; inABatch: number; places: ShardPlaces };

/**
 * Who holds this hands messages of the business and of this kind to its shard, and nobody else does. The two kinds have
 * a lease each, so that what is urgent does not wait for a broadcast's batch. Where they meet in a chat, whoever has the
 * later message takes the earlier one along, though the other may have it on its way: the shard sends it once.
 */
export function outboxLease(businessId: string, { ofBroadcasts }: Pick<Outbox, "ofBroadcasts">): string {
  return `prosaas:lease:${ofBroadcasts ? "broadcasts" : "send"}:${businessId}`;
}

/** Sends what a business has in an outbox, batch after batch. */
export async function emptyOutbox(
  deps: Deps,
  run: Run<"send" | "send_broadcasts">,
  outbox: Outbox,
): Promise<RunResult> {
  const lease = outboxLease(run.payload.business_id, outbox);
  const result = await withLease(deps, lease, (lost) => sendBatches(deps, run, outbox, lost));
  return result ?? { again: { inMs: heldMs, reason: "another worker sends for this business" } };
}

async function sendBatches(
  deps: Deps,
  run: Run<"send" | "send_broadcasts">,
  outbox: Outbox,
  lost: AbortSignal,
): Promise<RunResult> {
  const scope = forBusiness(deps.db, run.payload.business_id);
  const counts = { sent: 0, failed: 0, retried: 0 };
  let nextAttempt = Number.POSITIVE_INFINITY;
  const again = (inMs: number, reason: string): RunResult => ({
    counts,
    again: { inMs, reason, progressed: counts.sent + counts.failed > 0 },
  });
  const attempt = () => (counts.sent + counts.failed > 0 ? 1 : run.attempt);

  try {
    const business = await getSender(scope);
    if (business === undefined) return { counts };
    if (business.whatsapp_move !== null) return again(movingMs, "the business moves to another shard");
    const write = <T>(work: (scope: BusinessScope) => Promise<Written<T>>) => recordMoves(deps, scope, work, business);

    const turnEnds = performance.now() + turnMs;
    for (let batch = 0; batch < batchesARun && (batch === 0 || performance.now() < turnEnds); batch++) {
      run.signal.throwIfAborted();
      if (lost.aborted) return again(heldMs, "the lease ran out");
      if (run.stopping.aborted) return again(0, "the worker is stopping");

      const messages = await write((inside) => claim(inside, outbox));
      if (messages.length === 0) {
        const inMs = Math.max(0, nextAttempt - sharedNow());
        return inMs <= soonMs ? again(inMs, "a message is due again soon") : { counts };
      }
      const files = await attachFiles(scope, messages);
      // In the other outbox all that broadcasts have is in front of something urgent, though the batch may end before that.
      const bulk = outbox.ofBroadcasts ? bulkAmong(files.ready) : new Set<string>();
      const handOverReady = () =>
        outbox.places.use(deps.router.locate(business).shard, () => handOver(deps, business, files.ready, bulk));
      const atShard = files.ready.length > 0 ? await handOverReady() : [];
      if (atShard === undefined)
        return again(backoff({ attempt: attempt(), ...placesTakenDelay }), "many wait for its shard");
      const handedOver = [...files.outcomes, ...atShard];
      const outcomes = handedOver.filter((outcome) => outcome.status !== "held");
      await write((inside) => record(inside, outcomes));
      await askForUploads(deps, business.id, files.awaited);
      tally(deps, counts, outcomes);
      await tellOfLimit(deps, scope, handedOver);
      const held = handedOver.find((outcome) => outcome.status === "held");
      if (held)
        return again(Math.min(maxPacedMs, Math.max(0, held.until.getTime() - sharedNow())), "the account is paced");
      nextAttempt = Math.min(nextAttempt, ...outcomes.map(nextAttemptOf));
    }
    return again(0, "the outbox is long");
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== "unavailable" && error.code !== "upstream_timeout"))
      throw error;
    return again(backoff({ attempt: attempt(), ...awayDelay }), error.message);
  }
}

async function claim(scope: BusinessScope, { ofBroadcasts, inABatch }: Outbox): Promise<Written<PendingMessage[]>> {
  const { messages, expired } = await pendingMessages(scope, { limit: inABatch, ofBroadcasts });
  return { result: messages, changes: expired };
}

async function record(scope: BusinessScope, outcomes: SendOutcome[]): Promise<Written<void>> {
  return { result: undefined, changes: await recordSendResults(scope, outcomes) };
}

function tally(
  { metrics }: Deps,
  counts: { sent: number; failed: number; retried: number },
  outcomes: SendOutcome[],
): void {
  for (const { status } of outcomes) {
    counts[status === "retry" || status === "paced" ? "retried" : status] += 1;
    metrics.sent(status, 1);
  }
}

function nextAttemptOf(outcome: SendOutcome): number {
  return "next_attempt_at" in outcome ? outcome.next_attempt_at.getTime() : Number.POSITIVE_INFINITY;
}
