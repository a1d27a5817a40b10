import { continueTrace } from "../../../lib/tracing/index.ts";
import type { DueDelivery, Webhook } from "../../../lib/db/index.ts";
import type { Answer, Post } from "./post.ts";

/**
 * Posts a delivery in a span of its event's trace, if that is sampled. The endpoint gets the span as `traceparent` and
 * may continue the trace. The address is the customer's own: it is no attribute.
 */
export async function postTraced(
  { id: webhook_id, business_id }: Webhook,
  { id, event, attempts, trace }: DueDelivery,
  post: Post,
  [headers, body]: Parameters<Post>,
): Promise<Answer> {
  const span = continueTrace(trace, "deliver webhook", {
    kind: "client",
    attributes: {
      "prosaas.business_id": business_id,
      "prosaas.webhook_id": webhook_id,
      "prosaas.delivery_id": id,
      "prosaas.event": event,
      "prosaas.attempt": attempts + 1,
    },
  });
  if (span === undefined) return post(headers, body);
  const answer = await post({ ...headers, traceparent: span.traceparent }, body);
  span.set({ "http.response.status_code": answer.httpStatus ?? undefined });
  span.end(answer.ok ? undefined : String(answer.httpStatus ?? "no_answer"));
  return answer;
}
