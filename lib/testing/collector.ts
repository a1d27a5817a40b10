import { parse } from "protobufjs";

/** A span as a collector receives it. Ids are hexadecimal. */
export type ReceivedSpan = {
  service: string;
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parentId: string;
  attributes: Record<string, string | number | boolean>;
  links: string[];
  /** 2 is an error. */
  status: number;
};

/** The part of OTLP's trace.proto (opentelemetry-proto, v1) that is read here, with its field numbers. */
const proto = `
  syntax = "proto3";
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    repeated KeyValue attributes = 9; repeated Link links = 13; Status status = 15;
  }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue {
    oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; }
  }`;

type Attribute = { key: string; value: Record<string, string | number | boolean> };
type SpanMessage = {
  name: string;
  kind?: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes?: Attribute[];
  links?: { spanId: string }[];
  status?: { code?: number };
};
type RequestMessage = {
  resourceSpans?: { resource?: { attributes?: Attribute[] }; scopeSpans?: { spans?: SpanMessage[] }[] }[];
};

const request = parse(proto).root.lookupType("ExportTraceServiceRequest");

const valuesOf = (attributes: readonly Attribute[] = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]!]));

/** With `bytes: String`, protobufjs gives base64. */
const hex = (base64: string | undefined) => Buffer.from(base64 ?? "", "base64").toString("hex");

function spansOf(body: Uint8Array): ReceivedSpan[] {
  const decoded = request.toObject(request.decode(body), { longs: Number, bytes: String }) as RequestMessage;
  return (decoded.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) => {
    const service = String(valuesOf(resource?.attributes)["service.name"]);
    return scopeSpans.flatMap(({ spans = [] }) =>
      spans.map(({ name, kind = 0, traceId, spanId, parentSpanId, attributes, links = [], status }) => ({
        service,
        name,
        kind,
        traceId: hex(traceId),
        spanId: hex(spanId),
        parentId: hex(parentSpanId),
        attributes: valuesOf(attributes),
        links: links.map((link) => hex(link.spanId)),
        status: status?.code ?? 0,
      })),
    );
  });
}

/** A collector: an HTTP server that receives OTLP in protobuf, as OpenTelemetry's collector does on port 4318. */
export function startCollector() {
  const collector = {
    spans: [] as ReceivedSpan[],
    requests: 0,
    /** Headers of the last request. */
    headers: new Headers(),
    /** Called before a request is accepted. A Response replaces the acceptance. */
    answer: async (): Promise<Response | undefined> => undefined,
    url: "",
    stop: async (): Promise<void> => {},
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (received) => {
      collector.requests += 1;
      collector.headers = received.headers;
      const { pathname } = new URL(received.url);
      if (received.method !== "POST" || pathname !== "/v1/traces") return new Response(null, { status: 404 });
      if (received.headers.get("content-type") !== "application/x-protobuf") return new Response(null, { status: 415 });
      const body = await received.bytes();
      const instead = await collector.answer();
      if (instead !== undefined) return instead;
      collector.spans.push(...spansOf(body));
      return new Response(null, { headers: { "content-type": "application/x-protobuf" } });
    },
  });
  collector.url = `http://127.0.0.1:${server.port}`;
  collector.stop = () => server.stop(true);
  return collector;
}

export type Collector = ReturnType<typeof startCollector>;
