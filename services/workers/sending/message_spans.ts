import { continueTrace, isTracing } from "../../../lib/tracing/index.ts";
import type { Span } from "../../../lib/tracing/index.ts";
import type { BusinessScope, PendingMessage, StatusChange } from "../../../lib/db/index.ts";
import type { HandedOver } from "./outcome.ts";

export type TracedBatch = {
  /** The messages, with the contexts of their spans. */
  messages: PendingMessage[];
  /** Ends the spans. A message that only waits was not tried: its span is discarded. */
  end(outcomes: readonly HandedOver[]): void;
};

/** Starts a span for each sampled message of a batch that is handed to a shard. */
export function traceBatch({ businessId }: BusinessScope, messages: PendingMessage[]): TracedBatch {
  if (!isTracing() || messages.every(({ trace }) => trace == null)) return { messages, end: () => {} };
  const spans = new Map<string, Span>();
  const traced = messages.map((message) => {
    const span = continueTrace(message.trace, "send message", {
      attributes: {
        "prosaas.business_id": businessId,
        "prosaas.message_id": message.id,
        "prosaas.attempt": message.attempts + 1,
      },
    });
    if (span === undefined) return message;
    spans.set(message.id, span);
    return { ...message, trace: span.traceparent };
  });
  return {
    messages: traced,
    end: (outcomes) => {
      for (const outcome of outcomes) {
        const { id, status } = outcome;
        if (status === "sent") spans.get(id)?.end();
        else if (status === "failed" || status === "retry") spans.get(id)?.end(outcome.error_code);
      }
    },
  };
}

/** Adds the trace contexts of messages to their changes, whose statement does not return them. */
export function withTraces(changes: StatusChange[], messages: readonly PendingMessage[]): StatusChange[] {
  if (!isTracing()) return changes;
  const traces = new Map(messages.flatMap(({ id, trace }) => (trace == null ? [] : [[id, trace] as const])));
  return traces.size === 0 ? changes : changes.map((change) => ({ ...change, trace: traces.get(change.id) ?? null }));
}
