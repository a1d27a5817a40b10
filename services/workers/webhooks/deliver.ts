import { sharedDate } from "../../../lib/core/time.ts";
import { AppError } from "../../../lib/core/errors.ts";
import {
  createGroupCommit,
  dueDeliveries,
  findDeliverable,
  forPlatform,
  recordDeliveries,
  recordHealth,
} from "../../../lib/db/index.ts";
import type { DeliveryOutcome, DueDelivery, Webhook, WebhookHealth } from "../../../lib/db/index.ts";
import { definitionOf } from "../../../lib/queues/index.ts";
import { commitWithEvents } from "../../../lib/events/index.ts";
import type { Handler, Run, RunResult } from "../../../lib/queues/index.ts";
import { signedHeaders } from "../../../lib/webhooks/signature.ts";
import { Slots } from "../../../lib/runtime/slots.ts";
import type { Deps } from "../deps.ts";
import { takeTurn } from "../turn.ts";
import type { Step, Turn, TurnOptions } from "../turn.ts";
import { afterAttempt, isFailing } from "./health.ts";
import { openEndpoint } from "./post.ts";
import type { Answer, Post } from "./post.ts";
import { postTraced } from "./post_traced.ts";
import { nextAttempt } from "./retry_schedule.ts";

/** Deliveries per query: a few seconds of work for an endpoint of ordinary speed. */
const pageSize = 200;

/** An endpoint with many deliveries yields after this much, so that other endpoints get their turn. */
const limit = { steps: 5, ms: 5_000 };

const heldMs = 1_000;
const retryDelay = { baseMs: 500, maxMs: 10_000 };

/**
 * Endpoints of one business that a process serves at once, a quarter of the queue's share: a business may own many slow
 * endpoints.
 */
const endpointsPerBusiness = 8;
const noSlotMs = 1_000;

type Counts = { delivered: number; failed: number; dead: number };

/** Dispatches the due deliveries of one webhook endpoint. */
export function deliver(deps: Deps): Handler<"deliver"> {
  const scope = forPlatform(deps.db);
  // Batches the outcomes of attempts that end at the same time, over all endpoints.
  const record = createGroupCommit<DeliveryOutcome, undefined>({
    commit: async (outcomes) => {
      await recordDeliveries(scope, outcomes);
      return outcomes.map(() => undefined);
    },
    isItemsFault: () => false,
    maxItems: 256,
    maxCommits: 1,
    maxWaiting: 10_000,
    overload: () => new AppError("unavailable", "Too many delivery outcomes wait to be recorded."),
  });
  const slots = new Slots({ total: definitionOf("high").concurrency, share: endpointsPerBusiness });
  return (run) => dispatch(deps, run, record, slots);
}

type RecordOutcome = (outcome: DeliveryOutcome) => Promise<undefined>;

async function dispatch(deps: Deps, run: Run<"deliver">, record: RecordOutcome, slots: Slots): Promise<RunResult> {
  const counts: Counts = { delivered: 0, failed: 0, dead: 0 };
  const options: TurnOptions<Counts> = {
    lease: `prosaas:lease:webhook:${run.payload.webhook_id}`,
    heldMs,
    counts,
    hasProgressed: () => counts.delivered > 0,
    limit,
    retryDelay,
  };
  return takeTurn(deps, run, options, async (turn) => {
    const webhook = await findDeliverable(forPlatform(deps.db), run.payload.webhook_id);
    // The sweep wakes an endpoint that is backing off.
    if (webhook === undefined) return "done";
    if (slots.take(webhook.business_id) !== null) {
      return { inMs: noSlotMs * (1 - Math.random() / 2), reason: "the business has its share of the slots" };
    }
    try {
      return await dispatchPages(deps, turn, webhook, { record, counts });
    } finally {
      slots.giveBack(webhook.business_id);
    }
  });
}

async function dispatchPages(
  deps: Deps,
  turn: Turn,
  webhook: Webhook,
  { record, counts }: { record: RecordOutcome; counts: Counts },
): Promise<Exclude<Step, "more">> {
  const scope = forPlatform(deps.db);
  const { policy, timeoutMs, health: rules } = deps.webhooks;
  const endpoint = openEndpoint(webhook.url, policy, timeoutMs);
  let health: WebhookHealth = webhook;
  const isUp = () => health.status !== "disabled" && !isFailing(health, rules);

  const attempt = async (delivery: DueDelivery): Promise<boolean> => {
    const answer = await postTraced(webhook, delivery, endpoint.post, signedPost(deps, webhook, delivery));
    const outcome = outcomeOf(delivery, answer, sharedDate());
    health = afterAttempt(health, answer, outcome.at, rules);
    await record(outcome);
    const result = outcome.status === "pending" ? "failed" : outcome.status;
    counts[result] += 1;
    deps.metrics.delivered(result, answer.ms / 1_000);
    return answer.ok;
  };

  try {
    return await turn.repeat(async () => {
      const due = await dueDeliveries(scope, webhook, pageSize);
      if (due.length === 0) return "done";

      // A failing endpoint gets one delivery as a probe, and the rest only if it accepts that one.
      const [probe] = due;
      const rest = isFailing(health, rules) ? due.slice(1) : due;
      if (rest !== due && !(await attempt(probe!))) return "done";
      await inLanes(lanesOf(rest, webhook.ordered), webhook.max_concurrency, async (lane) => {
        for (const delivery of lane) {
          if (!isUp() || !turn.startAttempt()) return;
          if (!(await attempt(delivery))) return;
        }
      });
      return isUp() ? "more" : "done";
    });
  } finally {
    endpoint.close();
    await recordTurn(deps, webhook, health);
  }
}

/** Records the health of an endpoint if it changed, and emits `webhook.paused` if it was paused or disabled. */
async function recordTurn(deps: Deps, webhook: Webhook, health: WebhookHealth): Promise<void> {
  if (health === webhook || (health.failures === 0 && webhook.failures === 0 && health.status === webhook.status))
    return;
  await commitWithEvents(deps.publishEvents, forPlatform(deps.db), async (scope) => {
    const recorded = await recordHealth(scope, webhook.id, health, webhook.updated_at);
    if (!recorded || health.status === webhook.status || health.status === "active")
      return { result: undefined, events: [] };
    const { id: webhook_id, business_id, url } = webhook;
    const { status, status_reason: reason } = health;
    deps.logger.warn({ webhook_id, business_id, status, reason }, "webhook endpoint paused");
    const data = { webhook_id, url, reason: reason ?? "" };
    const event = { name: "webhook.paused", business_id, at: sharedDate(), data, exceptWebhook: webhook_id } as const;
    return { result: undefined, events: [event] };
  });
}

function signedPost({ webhooks }: Deps, webhook: Webhook, { id, payload }: DueDelivery): Parameters<Post> {
  const { secret, previous_secret, previous_secret_until } = webhook;
  const at = sharedDate();
  const sealed = [secret, ...(previous_secret !== null && previous_secret_until! > at ? [previous_secret] : [])];
  const secrets = sealed.map((one) => webhooks.secrets.open(webhook.id, one));
  return [signedHeaders({ id, at, body: payload }, secrets), payload];
}

function outcomeOf({ id, attempts, expires_at }: DueDelivery, answer: Answer, at: Date): DeliveryOutcome {
  const attempted = { id, at, duration_ms: answer.ms, http_status: answer.httpStatus, error: answer.error };
  if (answer.ok) return { ...attempted, status: "delivered" };
  const next = nextAttempt({
    attempts: attempts + 1,
    now: at,
    expiresAt: expires_at,
    retryAfterMs: answer.retryAfterMs,
  });
  return next === null ? { ...attempted, status: "dead" } : { ...attempted, status: "pending", next_attempt_at: next };
}

/** Deliveries that must keep their order share a lane; every other delivery has its own. */
function lanesOf(deliveries: readonly DueDelivery[], ordered: boolean): DueDelivery[][] {
  if (!ordered) return deliveries.map((delivery) => [delivery]);
  return [...Map.groupBy(deliveries, ({ chat }) => chat).values()];
}

/** Runs `work` for each lane, at most `most` at a time; waits for all of them, then throws the first error. */
async function inLanes(
  lanes: DueDelivery[][],
  most: number,
  work: (lane: DueDelivery[]) => Promise<void>,
): Promise<void> {
  const waiting = lanes.values();
  const workNext = async (): Promise<void> => {
    for (const lane of waiting) await work(lane);
  };
  const ended = await Promise.allSettled(Array.from({ length: most }, workNext));
  const failed = ended.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason as Error;
}
