import { sharedDate } from "../../../lib/core/time.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import {
  announce,
  atomically,
  beginBroadcast,
  completeBroadcast,
  failCancelled,
  findBroadcast,
  forBusiness,
  forPlatform,
  holdBroadcast,
  letGoBroadcast,
  releaseRecipients,
} from "../../../lib/db/index.ts";
import type { BroadcastState, BusinessScope } from "../../../lib/db/index.ts";
import { quietUntil } from "../../../lib/broadcasts/quiet_hours.ts";
import { maxRenderedLength, parseTemplate } from "../../../lib/broadcasts/template.ts";
import type { Template } from "../../../lib/broadcasts/template.ts";
import type { Handler, Run, RunResult } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { withLease } from "../lease.ts";
import { outboxLease } from "../sending/outbox.ts";
import { announcement } from "../webhooks/announcements.ts";
import { recordMoves } from "../webhooks/record.ts";
import { wakeWebhooks } from "../webhooks/wake.ts";

/** Messages of one broadcast that may wait in the outbox: a pause takes effect on all but those already handed over. */
const mostQueued = 200;

/** Recipients that are released in one transaction. */
const mostReleased = 100;

/** Characters of the texts of one release: one transaction and its JSON stay at a few MB. */
const maxReleasedLength = 1_000_000;

/** A broadcast that nothing holds up goes to the end of the line after so many steps. */
const stepsARun = 20;

const heldMs = 500;
const outboxFullMs = 300;
/** While something of it is in the outbox: how soon it is seen that it has gone, or that quiet hours have begun. */
const inOutboxMs = 1_000;
const notPairedMs = 10_000;
/** Quiet hours may be over sooner than they seemed to be: a broadcast is looked at again after a minute. */
const longestQuietMs = 60_000;
const awayDelay = { baseMs: 500, maxMs: 10_000 };

type Step = { released: number } | { again: { inMs: number; reason: string } } | "done";

/** Brings a broadcast forward: begins it, releases its next recipients at its pace, ends it. */
export function broadcast(deps: Deps): Handler<"broadcast"> {
  return async (run) => {
    const key = `prosaas:lease:broadcast:${run.payload.broadcast_id}`;
    const result = await withLease(deps, key, (lost) => advance(deps, run, lost));
    return result ?? { again: { inMs: heldMs, reason: "another worker advances this broadcast" } };
  };
}

async function advance(deps: Deps, run: Run<"broadcast">, lost: AbortSignal): Promise<RunResult> {
  const counts = { released: 0 };
  const again = (inMs: number, reason: string): RunResult => ({
    counts,
    again: { inMs, reason, progressed: counts.released > 0 },
  });
  try {
    for (let step = 0; step < stepsARun; step++) {
      run.signal.throwIfAborted();
      if (lost.aborted) return again(heldMs, "the lease ran out");
      if (run.stopping.aborted) return again(0, "the worker is stopping");
      const taken = await takeStep(deps, run.payload.broadcast_id);
      if (taken === "done") return { counts };
      if ("again" in taken) return again(taken.again.inMs, taken.again.reason);
      counts.released += taken.released;
    }
    return again(0, "the broadcast is long");
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "unavailable") throw error;
    return again(backoff({ attempt: counts.released > 0 ? 1 : run.attempt, ...awayDelay }), error.message);
  }
}

async function takeStep(deps: Deps, id: string): Promise<Step> {
  const state = await findBroadcast(forPlatform(deps.db), id);
  if (state === undefined) return "done";
  const scope = forBusiness(deps.db, state.business_id);
  switch (state.status) {
    case "draft":
    case "paused":
    case "completed":
      return "done";
    case "cancelled":
      return settleCancelled(deps, scope, state);
    case "scheduled":
      // One whose time has not come is woken by the sweep.
      if (state.scheduled_at !== null && state.scheduled_at > state.now) return "done";
      await changeStatus(deps, scope, state, "running", beginBroadcast);
      return { released: 0 };
    case "running":
      return runOn(deps, scope, state);
  }
}

async function runOn(deps: Deps, scope: BusinessScope, state: BroadcastState): Promise<Step> {
  const { now } = state;
  const quiet = quietAt(state, now);
  if (quiet !== null) {
    await holdBroadcast(scope, state.id);
    return { again: { inMs: Math.min(quiet.getTime() - now.getTime(), longestQuietMs), reason: "quiet hours" } };
  }
  if ((await letGoBroadcast(scope, state.id)) > 0) await wakeSends(deps, state);

  if (!state.pending) {
    if (state.queued > 0) return { again: { inMs: inOutboxMs, reason: "its last messages are in the outbox" } };
    await changeStatus(deps, scope, state, "completed", completeBroadcast);
    return "done";
  }
  if (!state.paired) return { again: { inMs: notPairedMs, reason: "the business has no paired WhatsApp" } };
  const waitMs = (state.next_release_at?.getTime() ?? 0) - now.getTime();
  if (waitMs > 0)
    return { again: { inMs: state.queued > 0 ? Math.min(waitMs, inOutboxMs) : waitMs, reason: "its pace" } };
  const limit = Math.min(mostReleased, mostQueued - state.queued, Math.ceil(state.per_minute / 60));
  if (limit <= 0) return { again: { inMs: outboxFullMs, reason: "its messages wait in the outbox" } };

  const template = parseTemplate(state.text);
  const result = await recordMoves(deps, scope, async (inside) => {
    const released = await releaseRecipients(inside, {
      broadcastId: state.id,
      limit,
      maxLength: maxReleasedLength,
      // It does not catch up on what it could not send while it was held.
      nextReleaseAt: (count) => new Date(now.getTime() + (count * 60_000) / state.per_minute),
      textFor: (fields) => boundedText(template, fields),
    });
    return { result: released, changes: released?.failed ?? [] };
  });
  if (result === null) return { released: 0 };
  if (result.released > 0) await wakeSends(deps, state);
  return { released: result.released + result.optedOut + result.failed.length };
}

/** Recipients are checked when they are added; those added by an earlier version are checked only here. */
function boundedText(template: Template, fields: Record<string, string>): { text: string } | { error: string } {
  const length = template.renderedLength(fields);
  if (length <= maxRenderedLength) return { text: template.render(fields) };
  return {
    error: `The text has ${length} characters with this recipient's fields; up to ${maxRenderedLength} are allowed.`,
  };
}

/** Fails what a cancelled broadcast left in the outbox, while nothing of its business is on its way to a shard. */
async function settleCancelled(
  deps: Deps,
  scope: BusinessScope,
  { id, business_id, queued }: BroadcastState,
): Promise<Step> {
  if (queued === 0) return "done";
  // Those of a broadcast that stand in front of something urgent go with it.
  const lease = (ofBroadcasts: boolean) => outboxLease(business_id, { ofBroadcasts });
  const settle = () =>
    recordMoves(deps, scope, async (inside) => ({ result: true, changes: await failCancelled(inside, id) }));
  const settled = await withLease(deps, lease(true), () => withLease(deps, lease(false), settle));
  return settled === null ? { again: { inMs: heldMs, reason: "messages of the business are on their way" } } : "done";
}

async function changeStatus(
  deps: Deps,
  scope: BusinessScope,
  { id: broadcast_id, business_id }: BroadcastState,
  status: "running" | "completed",
  change: (scope: BusinessScope, id: string) => Promise<boolean>,
): Promise<void> {
  const woken = await atomically(scope, async (inside) => {
    if (!(await change(inside, broadcast_id))) return [];
    return announce(inside, [
      announcement(business_id, "broadcast.status", { at: sharedDate(), data: { broadcast_id, status } }),
    ]);
  });
  await wakeWebhooks(deps, woken);
}

function quietAt({ quiet_from: from, quiet_to: to, time_zone: timeZone }: BroadcastState, now: Date): Date | null {
  return from === null || to === null ? null : quietUntil({ from, to, timeZone }, now);
}

/** One whose wake-up fails is woken by the sweep. */
async function wakeSends({ producer }: Deps, { business_id }: BroadcastState): Promise<void> {
  await producer.wake("send_broadcasts", { business_id }).catch(() => {});
}
