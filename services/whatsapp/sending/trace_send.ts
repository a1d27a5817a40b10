import { continueTrace } from "../../../lib/tracing/index.ts";
import type { Outgoing } from "./lane_options.ts";
import type { LaneResult } from "./result.ts";

/** Starts a message's span, if it is sampled. The result that the returned function takes ends it. */
export function traceSend(
  businessId: string,
  { trace }: Outgoing,
  resolve: (result: LaneResult) => void,
): (result: LaneResult) => void {
  const span = continueTrace(trace, "send to WhatsApp", {
    kind: "client",
    attributes: { "prosaas.business_id": businessId },
  });
  if (span === undefined) return resolve;
  return (result) => {
    span.end(result.status === "sent" ? undefined : (result.error?.code ?? result.status));
    resolve(result);
  };
}
