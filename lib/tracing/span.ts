/** Ids, counts and codes. Never contents, phone numbers, addresses or secrets: a collector is outside the platform. */
export type Attributes = Record<string, string | number | boolean | undefined>;

export type SpanKind = "server" | "client" | "consumer" | "internal";

export type SpanOptions = {
  /** Default: internal. */
  kind?: SpanKind;
  attributes?: Attributes;
};

/** A span of a sampled trace. Without sampling, code has `undefined` instead, which costs nothing. */
export type Span = {
  readonly traceId: string;
  /** The context that its children get. */
  readonly traceparent: string;
  /** When it ended, by `performance.now()`; Infinity before. */
  readonly endedAt: number;
  rename(name: string): void;
  set(attributes: Attributes): void;
  /** Ends the span. `fault`: a code or the name of an error, never its message. A second call changes nothing. */
  end(fault?: string): void;
};
