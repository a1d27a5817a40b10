import { createHmac } from "node:crypto";

export type Told = { id: string; timestamp: number; type: string; data: Record<string, unknown>; at: number };

/**
 * A customer's endpoint: a real HTTP server that checks each signature as the Standard Webhooks libraries do. What it
 * does not accept it answers with 401, and notes.
 */
export function startTestEndpoint() {
  let underWay = 0;
  const endpoint = {
    /** What was told and accepted, in order; a redelivery is there again. */
    told: [] as Told[],
    /** Every request, whatever became of it. */
    requests: 0,
    forged: 0,
    mostAtOnce: 0,
    /** Secrets of which one must have signed. */
    secrets: [] as string[],
    /** Before a delivery is accepted: a Response is what it gets instead. */
    answer: async (_told: Told): Promise<Response | undefined> => undefined,
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
    const told = { id: request.headers.get("webhook-id") ?? "", timestamp, type, data, at: Date.now() };
    if (!signedBy(request.headers, body) || Math.abs(Date.now() / 1_000 - timestamp) > 300) {
      endpoint.forged += 1;
      return new Response(null, { status: 401 });
    }
    const instead = await endpoint.answer(told);
    if (instead !== undefined) return instead;
    endpoint.told.push(told);
    return new Response("thanks");
  };

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    fetch: async (request) => {
      underWay += 1;
      endpoint.mostAtOnce = Math.max(endpoint.mostAtOnce, underWay);
      try {
        return await handle(request);
      } finally {
        underWay -= 1;
      }
    },
  });
  endpoint.url = `http://127.0.0.1:${server.port}/hook`;
  endpoint.stop = () => server.stop(true);
  return endpoint;
}

export type TestEndpoint = ReturnType<typeof startTestEndpoint>;
