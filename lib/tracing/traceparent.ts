/** The context of a span, as the header `traceparent` of W3C Trace Context carries it. */
export type TraceParent = { traceId: string; spanId: string; sampled: boolean };

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Parses a `traceparent`; undefined if it is absent or malformed, so that a new trace starts. A later version may have
 * more fields behind the four of version 00.
 */
export function parseTraceparent(header: string | null | undefined): TraceParent | undefined {
  const [, version, traceId, spanId, flags, more] = form.exec(header ?? "") ?? [];
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return undefined;
  return { traceId: traceId!, spanId: spanId!, sampled: (Number.parseInt(flags!, 16) & 1) === 1 };
}

/** The `traceparent` of a sampled span. */
export const sampledTraceparent = (traceId: string, spanId: string): string => `00-${traceId}-${spanId}-01`;
