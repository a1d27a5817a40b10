import { sharedDate } from "../../../lib/core/time.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import {
  announce,
  atomically,
  createGroupCommit,
  dueDeliveries,
  findDeliverable,
  forPlatform,
  recordDeliveries,
  recordHealth,
} from "../../../lib/db/index.ts";
import type { DeliveryOutcome, DueDelivery, Webhook, WebhookHealth } from "../../../lib/db/index.ts";
import { definitionOf } from "../../../lib/queues/index.ts";
import type { Handler, Run, RunResult } from "../../../lib/queues/index.ts";
import { signedHeaders } from "../../../lib/webhooks/signature.ts";
import { Slots } from "../../../lib/runtime/slots.ts";
import type { Deps } from "../deps.ts";
import { withLease } from "../lease.ts";
import { announcement } from "./announcements.ts";
import { afterAttempt, isFailing } from "./health.ts";
import { openEndpoint } from "./post.ts";
import type { Answer, Post } from "./post.ts";
import { nextAttempt } from "./retry_schedule.ts";
import { wakeWebhooks } from "./wake.ts";

/** Deliveries that are read at once: some seconds of work for an endpoint of ordinary speed. */
const pageSize = 200;

/** An endpoint with much to be told goes to the end of the line after so many pages, or so long, and the others get their turn. */
const pagesARun = 5;
const turnMs = 5_000;

/** Another run tells the endpoint: it is about to end, or its worker died and the lease has seconds to live. */
const heldMs = 1_000;
const awayDelay = { baseMs: 500, maxMs: 10_000 };

/**
 * Endpoints of one business that one process tells at once, a quarter of the queue's share: all of a business's may be slow
 * on purpose.
 */
const endpointsOfBusiness = 8;
const shareTakenMs = 1_000;

/** Tells one endpoint what it has to be told. */
export function deliver(deps: Deps): Handler<"deliver"> {
  const scope = forPlatform(deps.db);
  // Attempts of all endpoints that end at the same time are recorded together.
  const record = createGroupCommit<DeliveryOutcome, undefined>({
    commit: async (outcomes) => {
      await recordDeliveries(scope, outcomes);
      return outcomes.map(() => undefined);
    },
    isItemsFault: () => false,
    maxItems: 256,
    maxCommits: 1,
    maxWaiting: 10_000,
    overload: () => new AppError("unavailable", "More deliveries end than can be recorded now."),
  });
  const slots = new Slots({ total: definitionOf("high").concurrency, share: endpointsOfBusiness });
  return async (run) => {
    const key = `prosaas:lease:webhook:${run.payload.webhook_id}`;
    const result = await withLease(deps, key, (lost) => tellEndpoint(deps, run, { record, slots, lost }));
    return result ?? { again: { inMs: heldMs, reason: "another worker tells this endpoint" } };
  };
}

async function tellEndpoint(
  deps: Deps,
  run: Run<"deliver">,
  {
    record,
    slots,
    lost,
  }: { record: (outcome: DeliveryOutcome) => Promise<undefined>; slots: Slots; lost: AbortSignal },
): Promise<RunResult> {
  const scope = forPlatform(deps.db);
  // One that is slow and well is told the rest by the next run; what is under way has half of the time, or more, to end.
  const turnEnds = Math.min(performance.now() + turnMs, (performance.now() + run.endsAt) / 2);
  const isLate = () => performance.now() >= turnEnds;
  const counts = { delivered: 0, failed: 0, dead: 0 };
  const again = (inMs: number, reason: string): RunResult => ({
    counts,
    again: { inMs, reason, progressed: counts.delivered > 0 },
  });
  try {
    const webhook = await findDeliverable(scope, run.payload.webhook_id);
    // One that is left alone for a while is woken by the sweep when the while is over.
    if (webhook === undefined) return { counts };

    if (slots.take(webhook.business_id) !== null) {
      return again(shareTakenMs * (1 - Math.random() / 2), "the business has its share of the slots");
    }

    const { policy, timeoutMs, health: healthRules } = deps.webhooks;
    const endpoint = openEndpoint(webhook.url, policy, timeoutMs);
    let health: WebhookHealth = webhook;
    const mayGoOn = () =>
      !isLate() && !lost.aborted && !run.stopping.aborted && !run.signal.aborted && health.status !== "disabled";

    const attempt = async (delivery: DueDelivery): Promise<boolean> => {
      const answer = await endpoint.post(...signedPost(deps, webhook, delivery));
      const outcome = outcomeOf(delivery, answer, sharedDate());
      health = afterAttempt(health, answer, outcome.at, healthRules);
      await record(outcome);
      counts[outcome.status === "pending" ? "failed" : outcome.status] += 1;
      deps.metrics.delivered(outcome.status === "pending" ? "failed" : outcome.status, answer.ms / 1_000);
      return answer.ok;
    };

    try {
      for (let page = 0; page < pagesARun; page++) {
        run.signal.throwIfAborted();
        if (lost.aborted) return again(heldMs, "the lease ran out");
        if (run.stopping.aborted) return again(0, "the worker is stopping");
        if (isLate()) return again(0, "the endpoint takes its time");
        const due = await dueDeliveries(scope, webhook, pageSize);
        if (due.length === 0) return { counts };

        // A failing endpoint is asked with one delivery, and with the rest only if that is taken.
        const [probe] = due;
        const rest = isFailing(health, healthRules) ? due.slice(1) : due;
        if (rest !== due && !(await attempt(probe!))) return { counts };
        await inLanes(lanesOf(rest, webhook.ordered), webhook.max_concurrency, async (lane) => {
          for (const delivery of lane) {
            if (!mayGoOn() || isFailing(health, healthRules)) return;
            if (!(await attempt(delivery))) return;
          }
        });
        if (isFailing(health, healthRules) || health.status === "disabled") return { counts };
      }
      return again(0, "the endpoint has much to be told");
    } finally {
      slots.giveBack(webhook.business_id);
      endpoint.close();
      await recordTurn(deps, webhook, health);
    }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "unavailable") throw error;
    const attempt = counts.delivered > 0 ? 1 : run.attempt;
    return again(backoff({ attempt, ...awayDelay }), error.message);
  }
}

/** Writes down how the endpoint fares, where that is another than before; of one that had to be paused its owner is told. */
async function recordTurn(deps: Deps, webhook: Webhook, health: WebhookHealth): Promise<void> {
  if (health === webhook || (health.failures === 0 && webhook.failures === 0 && health.status === webhook.status))
    return;
  const woken = await atomically(forPlatform(deps.db), async (scope) => {
    const recorded = await recordHealth(scope, webhook.id, health, webhook.updated_at);
    if (!recorded || health.status === webhook.status || health.status === "active") return [];
    const { id: webhook_id, business_id, url } = webhook;
    const data = { webhook_id, url, reason: health.status_reason ?? "" };
    deps.logger.warn(
      { webhook_id, business_id, status: health.status, reason: health.status_reason },
      "webhook endpoint paused",
    );
    return announce(scope, [
      { ...announcement(business_id, "webhook.paused", { at: sharedDate(), data }), except: webhook_id },
    ]);
  });
  await wakeWebhooks(deps, woken);
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

/** What must be told in order makes one lane; everything else is a lane by itself. */
function lanesOf(deliveries: readonly DueDelivery[], ordered: boolean): DueDelivery[][] {
  if (!ordered) return deliveries.map((delivery) => [delivery]);
  return [...Map.groupBy(deliveries, ({ chat }) => chat).values()];
}

/** Works through the lanes, at most `most` at a time; ends when all have ended, and throws the first failure then. */
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
