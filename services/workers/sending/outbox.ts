import { backoff } from "../../../lib/core/retry.ts";
import { sharedNow } from "../../../lib/core/time.ts";
import {
  atomically,
  changeStates,
  forBusiness,
  getSender,
  lockMessages,
  pendingMessages,
  recordSendResults,
} from "../../../lib/db/index.ts";
import type { BusinessScope, PendingMessage, SendOutcome, StateChange, StatusChange } from "../../../lib/db/index.ts";
import { contentOf, isChange } from "../../../lib/messages/index.ts";
import type { Run, RunResult } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { takeTurn } from "../turn.ts";
import type { Step, TurnOptions } from "../turn.ts";
import { recordStatusChanges } from "../events/record_changes.ts";
import type { Written } from "../events/record_changes.ts";
import { checkOptOuts } from "./check_opt_outs.ts";
import { attachFiles, requestUploads } from "./files.ts";
import { bulkAmong, handOver } from "./hand_over.ts";
import { traceBatch, withTraces } from "./message_spans.ts";
import { isRecorded } from "./outcome.ts";
import { readdress, readdressKnown, withoutDoubled } from "./readdress.ts";
import { announceLimit } from "./limits.ts";
import type { ShardSlots } from "./shard_slots.ts";

/** A long outbox yields after this much, so that other businesses get their turn. */
const limit = { steps: 10, ms: 500 };

const heldMs = 150;

/**
 * Backoff while a shard is unavailable. It is back within half a second of most crashes, so the first retries are
 * quick; a session that opens ends the wait early (receiving/session_events.ts).
 */
const retryDelay = { baseMs: 250, maxMs: 10_000 };

/** Backoff while a shard's slots are taken. A healthy shard frees one soon; a hanging one is polled rarely. */
const noSlotDelay = { baseMs: 50, maxMs: 5_000 };

/**
 * The run waits for a message that is due this soon. The sweep wakes later ones, because new messages to other chats
 * would otherwise wait for the postponed run.
 */
const soonMs = 1_000;

/** An account that is stopped for hours is polled this often. */
const maxPacedMs = 60_000;

/** Poll interval while the business moves to another shard; the end of the move ends the wait. */
const movingMs = 500;

export type Outbox = {
  /** The broadcast outbox, else the urgent one. */
  ofBroadcasts: boolean;
  batchSize: number;
  slots: ShardSlots;
};

type Counts = { sent: number; failed: number; retried: number };

/**
 * Lease of an outbox: its holder alone hands messages of that outbox to the shard. A business has two leases, so that
 * urgent messages do not wait for a broadcast's batch. In a chat with messages of both, the holder with the later
 * message takes the earlier one along, even if the other holder has it in flight: the shard sends it once.
 */
export function outboxLease(businessId: string, { ofBroadcasts }: Pick<Outbox, "ofBroadcasts">): string {
  return `prosaas:lease:${ofBroadcasts ? "broadcasts" : "send"}:${businessId}`;
}

/** Sends the messages of an outbox, batch after batch. */
export async function drainOutbox(
  deps: Deps,
  run: Run<"send" | "send_broadcasts">,
  outbox: Outbox,
): Promise<RunResult> {
  const scope = forBusiness(deps.db, run.payload.business_id);
  const counts: Counts = { sent: 0, failed: 0, retried: 0 };
  const options: TurnOptions<Counts> = {
    lease: outboxLease(run.payload.business_id, outbox),
    heldMs,
    counts,
    hasProgressed: () => counts.sent + counts.failed > 0,
    limit,
    retryDelay,
  };

  return takeTurn(deps, run, options, async (turn) => {
    const business = await getSender(scope);
    if (business === undefined) return "done";
    if (business.whatsapp_move !== null) return { inMs: movingMs, reason: "the business is moving to another shard" };
    const write = <T>(work: (scope: BusinessScope) => Promise<Written<T>>) =>
      recordStatusChanges(deps, scope, work, business);
    let nextAttempt = Number.POSITIVE_INFINITY;

    return turn.repeat(async (): Promise<Step> => {
      const unchecked = outbox.ofBroadcasts ? await checkOptOuts(deps, scope, business) : undefined;
      if (unchecked) return unchecked;
      const messages = await write((inside) => claim(inside, outbox));
      if (messages.length === 0) {
        const inMs = Math.max(0, nextAttempt - sharedNow());
        return inMs <= soonMs ? { inMs, reason: "a message is due soon" } : "done";
      }
      if (outbox.ofBroadcasts && (await readdressKnown(deps, scope, messages))) return "more";
      const files = await attachFiles(scope, outbox.ofBroadcasts ? messages : await withoutDoubled(scope, messages));
      // In the urgent outbox every broadcast message precedes an urgent one of its chat, possibly of a later batch.
      const bulk = outbox.ofBroadcasts ? bulkAmong(files.ready) : new Set<string>();
      const handOverReady = () =>
        outbox.slots.use(deps.router.locate(business).shard, async () => {
          const batch = traceBatch(scope, files.ready);
          const outcomes = await handOver(deps, business, batch.messages, bulk);
          batch.end(outcomes);
          return outcomes;
        });
      const atShard = files.ready.length > 0 ? await handOverReady() : [];
      if (atShard === undefined) {
        return { inMs: backoff({ attempt: turn.attempt(), ...noSlotDelay }), reason: "the shard has no free slot" };
      }
      const handedOver = [...files.outcomes, ...atShard];
      const outcomes = handedOver.filter(isRecorded);
      const renamed = handedOver.filter((outcome) => outcome.status === "renamed");
      await write(async (inside) => {
        const changes = await record(inside, outcomes, messages);
        return { result: undefined, changes: withTraces(changes, messages) };
      });
      if (renamed.length > 0) await readdress(deps, scope, renamed, outbox);
      await requestUploads(deps, scope, files.awaited);
      count(deps, counts, outcomes);
      await announceLimit(deps, scope, handedOver);
      const held = handedOver.find((outcome) => outcome.status === "held");
      if (held) {
        const inMs = Math.min(maxPacedMs, Math.max(0, held.until.getTime() - sharedNow()));
        return { inMs, reason: "the account is paced" };
      }
      nextAttempt = Math.min(nextAttempt, ...outcomes.map(nextAttemptOf));
      return "more";
    });
  });
}

async function claim(scope: BusinessScope, { ofBroadcasts, batchSize }: Outbox): Promise<Written<PendingMessage[]>> {
  const { messages, expired } = await pendingMessages(scope, { limit: batchSize, ofBroadcasts });
  return { result: messages, changes: expired };
}

async function record(
  scope: BusinessScope,
  outcomes: SendOutcome[],
  messages: readonly PendingMessage[],
): Promise<StatusChange[]> {
  const targets = messages.filter(isChange).flatMap(targetOf);
  if (targets.length === 0) return recordSendResults(scope, outcomes);
  // Together: after a crash in between, a sent edit would never show.
  return atomically(scope, async (together) => {
    await lockMessages(together, { ids: [...outcomes.map(({ id }) => id), ...targets] });
    const changes = await recordSendResults(together, outcomes);
    await changeStates(together, stateChanges(together, messages, changes));
    return changes;
  });
}

/** The id of the message that this one changes, if we have it. */
function targetOf(message: PendingMessage): string[] {
  const content = contentOf(message);
  return "target" in content && content.target.id !== undefined ? [content.target.id] : [];
}

/** Returns the changes that sent messages make: an edit, a deletion or a reaction of the business. */
function stateChanges(
  { businessId: business_id }: BusinessScope,
  messages: readonly PendingMessage[],
  sent: readonly StatusChange[],
): StateChange[] {
  const sentAt = new Map(sent.flatMap(({ id, sent_at: at }) => (at === null ? [] : [[id, at] as const])));
  return messages.filter(isChange).flatMap((message): StateChange[] => {
    const [content, at] = [contentOf(message), sentAt.get(message.id)];
    if (at === undefined || !("target" in content) || content.target.id === undefined) return [];
    return [{ business_id, target_id: content.target.id, content, sender: null, at }];
  });
}

function count({ metrics }: Deps, counts: Counts, outcomes: SendOutcome[]): void {
  for (const { status } of outcomes) {
    counts[status === "retry" || status === "paced" ? "retried" : status] += 1;
    metrics.sent(status, 1);
  }
}

function nextAttemptOf(outcome: SendOutcome): number {
  return "next_attempt_at" in outcome ? outcome.next_attempt_at.getTime() : Number.POSITIVE_INFINITY;
}
