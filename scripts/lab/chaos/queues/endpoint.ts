/** A delivery that fails more often backs off for longer than a run lasts. */
const mostRefusals = 2;

/** A webhook endpoint that refuses one request in twenty and records those that it takes. */
export function startEndpoint() {
  const taken = new Map<string, number>();
  const refused = new Map<string, number>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      await request.arrayBuffer();
      const id = request.headers.get("webhook-id") ?? "";
      const refusals = refused.get(id) ?? 0;
      if (refusals < mostRefusals && Math.random() < 0.05) {
        refused.set(id, refusals + 1);
        return new Response(null, { status: 503 });
      }
      taken.set(id, (taken.get(id) ?? 0) + 1);
      return new Response(null, { status: 204 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    /** Times each delivery was taken, by webhook-id. */
    taken: taken as ReadonlyMap<string, number>,
    stop: () => server.stop(true),
  };
}
