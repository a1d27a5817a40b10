import { sharedDate } from "../../../lib/core/time.ts";
import {
  beginBroadcast,
  completeBroadcast,
  failCancelled,
  findBroadcast,
  forBusiness,
  forPlatform,
  holdBroadcast,
  releaseBroadcast,
  releaseRecipients,
} from "../../../lib/db/index.ts";
import type { BroadcastState, BusinessScope } from "../../../lib/db/index.ts";
import { quietUntil } from "../../../lib/broadcasts/quiet_hours.ts";
import { maxRenderedLength, parseTemplate } from "../../../lib/broadcasts/template.ts";
import type { Template } from "../../../lib/broadcasts/template.ts";
import { commitWithEvents } from "../../../lib/events/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { withLease } from "../lease.ts";
import { outboxLease } from "../sending/outbox.ts";
import { takeTurn } from "../turn.ts";
import type { Step, TurnOptions } from "../turn.ts";
import { recordStatusChanges } from "../events/record_changes.ts";

/** Messages of one broadcast in the outbox: a pause takes effect on all but those already handed over. */
const maxQueued = 200;

/** Recipients released per transaction. */
const maxReleased = 100;

/** Characters of all texts released in one transaction, which bounds its JSON to a few MB. */
const maxReleasedLength = 1_000_000;

/** A broadcast yields after this many steps, so that others get their turn. */
const limit = { steps: 20 };

const heldMs = 500;
const outboxFullMs = 300;
/** Poll interval while messages are in the outbox: notices that they are gone, or that quiet hours began. */
const inOutboxMs = 1_000;
const notPairedMs = 10_000;
/** Quiet hours can be changed, so the broadcast checks them again after a minute. */
const longestQuietMs = 60_000;
const retryDelay = { baseMs: 500, maxMs: 10_000 };

type Counts = { released: number };

/** Advances a broadcast: starts it, releases its next recipients at its rate, completes it. */
export function broadcast(deps: Deps): Handler<"broadcast"> {
  return (run) => {
    const counts: Counts = { released: 0 };
    const options: TurnOptions<Counts> = {
      lease: `prosaas:lease:broadcast:${run.payload.broadcast_id}`,
      heldMs,
      counts,
      hasProgressed: () => counts.released > 0,
      limit,
      retryDelay,
    };
    return takeTurn(deps, run, options, (turn) => turn.repeat(() => takeStep(deps, run.payload.broadcast_id, counts)));
  };
}

async function takeStep(deps: Deps, id: string, counts: Counts): Promise<Step> {
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
      // The sweep wakes a broadcast whose time has come.
      if (state.scheduled_at !== null && state.scheduled_at > state.now) return "done";
      await changeStatus(deps, scope, state, "running", beginBroadcast);
      return "more";
    case "running":
      return release(deps, scope, state, counts);
  }
}

async function release(deps: Deps, scope: BusinessScope, state: BroadcastState, counts: Counts): Promise<Step> {
  const { now } = state;
  const quiet = quietAt(state, now);
  if (quiet !== null) {
    await holdBroadcast(scope, state.id);
    return { inMs: Math.min(quiet.getTime() - now.getTime(), longestQuietMs), reason: "quiet hours" };
  }
  if ((await releaseBroadcast(scope, state.id)) > 0) await wakeSends(deps, state);

  if (!state.pending) {
    if (state.queued > 0) return { inMs: inOutboxMs, reason: "the last messages are in the outbox" };
    await changeStatus(deps, scope, state, "completed", completeBroadcast);
    return "done";
  }
  if (!state.paired) return { inMs: notPairedMs, reason: "the business has no paired WhatsApp" };
  const waitMs = (state.next_release_at?.getTime() ?? 0) - now.getTime();
  if (waitMs > 0)
    return { inMs: state.queued > 0 ? Math.min(waitMs, inOutboxMs) : waitMs, reason: "the broadcast is rate limited" };
  const limit = Math.min(maxReleased, maxQueued - state.queued, Math.ceil(state.per_minute / 60));
  if (limit <= 0) return { inMs: outboxFullMs, reason: "the outbox is full" };

  const template = parseTemplate(state.text);
  const result = await recordStatusChanges(deps, scope, async (inside) => {
    const released = await releaseRecipients(inside, {
      broadcastId: state.id,
      limit,
      maxLength: maxReleasedLength,
      // A broadcast that was held does not catch up.
      nextReleaseAt: (count) => new Date(now.getTime() + (count * 60_000) / state.per_minute),
      textFor: (fields) => boundedText(template, fields),
    });
    return { result: released, changes: released?.failed ?? [] };
  });
  if (result === null) return "more";
  if (result.released > 0) await wakeSends(deps, state);
  counts.released += result.released + result.skipped + result.failed.length;
  return "more";
}

/** Adding a recipient checks the length; recipients of an earlier version are checked only here. */
function boundedText(template: Template, fields: Record<string, string>): { text: string } | { error: string } {
  const length = template.renderedLength(fields);
  if (length <= maxRenderedLength) return { text: template.render(fields) };
  return {
    error: `The text has ${length} characters with this recipient's fields; up to ${maxRenderedLength} are allowed.`,
  };
}

/** Fails the queued messages of a cancelled broadcast while no message of its business is in flight to a shard. */
async function settleCancelled(
  deps: Deps,
  scope: BusinessScope,
  { id, business_id, queued }: BroadcastState,
): Promise<Step> {
  if (queued === 0) return "done";
  // Both leases: the urgent outbox takes along broadcast messages that precede an urgent one.
  const lease = (ofBroadcasts: boolean) => outboxLease(business_id, { ofBroadcasts });
  const settle = () =>
    recordStatusChanges(deps, scope, async (inside) => ({ result: true, changes: await failCancelled(inside, id) }));
  const settled = await withLease(deps, lease(true), () => withLease(deps, lease(false), settle));
  return settled === null ? { inMs: heldMs, reason: "messages of the business are in flight" } : "done";
}

async function changeStatus(
  deps: Deps,
  scope: BusinessScope,
  { id: broadcast_id, business_id }: BroadcastState,
  status: "running" | "completed",
  change: (scope: BusinessScope, id: string) => Promise<boolean>,
): Promise<void> {
  await commitWithEvents(deps.publishEvents, scope, async (inside) => {
    const changed = await change(inside, broadcast_id);
    const data = { broadcast_id, status };
    const event = { name: "broadcast.status", business_id, at: sharedDate(), data } as const;
    return { result: undefined, events: changed ? [event] : [] };
  });
}

function quietAt({ quiet_from: from, quiet_to: to, time_zone: timeZone }: BroadcastState, now: Date): Date | null {
  return from === null || to === null ? null : quietUntil({ from, to, timeZone }, now);
}

/** Best effort: the sweep retries lost wake-ups. */
async function wakeSends({ producer }: Deps, { business_id }: BroadcastState): Promise<void> {
  await producer.wake("send_broadcasts", { business_id }).catch(() => {});
}
