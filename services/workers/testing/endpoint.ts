import { createHmac } from "node:crypto";

export type ReceivedEvent = { id: string; timestamp: number; type: string; data: Record<string, unknown>; at: number };

/**
 * A customer's endpoint: a real HTTP server that verifies each signature as the Standard Webhooks libraries do. It
 * answers 401 to a forged request and counts it.
 */
export function startTestEndpoint() {
  let inFlight = 0;
  const endpoint = {
    /** Accepted events, in order, redeliveries included. */
    received: [] as ReceivedEvent[],
    /** All requests, refused ones included. */
    requests: 0,
    forged: 0,
    maxInFlight: 0,
    /** Secrets, one of which must have signed a request. */
    secrets: [] as string[],
    /** Called before a delivery is accepted: a Response replaces the acceptance. */
    answer: async (_told: ReceivedEvent): Promise<Response | undefined> => undefined,
    url: "",
    stop: async () => {},
  };

  const signedBy = (headers: Headers, body: string) => {
    const content = `${headers.get("webhook-id")}.${headers.get("webhook-timestamp")}.${body}`;
    const given = (headers.get("webhook-signature") ?? "").split(" ");
    return endpoint.secrets.some((secret) => {
      const key = Buffer.from(secret.replace("whsec_", ""), "base64");
      return given.includes(`v1,${createHmac("sha256", key).update(content).digest("base64")}`);
    });
  };

  const handle = async (request: Request): Promise<Response> => {
    const body = await request.text();
    endpoint.requests += 1;
    const { type, data } = JSON.parse(body) as { type: string; data: Record<string, unknown> };
    const timestamp = Number(request.headers.get("webhook-timestamp"));
    const received = { id: request.headers.get("webhook-id") ?? "", timestamp, type, data, at: Date.now() };
    if (!signedBy(request.headers, body) || Math.abs(Date.now() / 1_000 - timestamp) > 300) {
      endpoint.forged += 1;
      return new Response(null, { status: 401 });
    }
    const instead = await endpoint.answer(received);
    if (instead !== undefined) return instead;
    endpoint.received.push(received);
    return new Response("thanks");
  };

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    fetch: async (request) => {
      inFlight += 1;
      endpoint.maxInFlight = Math.max(endpoint.maxInFlight, inFlight);
      try {
        return await handle(request);
      } finally {
        inFlight -= 1;
      }
    },
  });
  endpoint.url = `http://127.0.0.1:${server.port}/hook`;
  endpoint.stop = () => server.stop(true);
  return endpoint;
}

export type TestEndpoint = ReturnType<typeof startTestEndpoint>;
