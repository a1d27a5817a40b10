/** A delivery that fails more often waits for longer than anybody wants to wait for the end of a run. */
const mostRefusals = 2;

/** An endpoint of customers that refuses one request in twenty and notes what it took. */
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
    /** How often each delivery was taken, by webhook-id. */
    taken: taken as ReadonlyMap<string, number>,
    stop: () => server.stop(true),
  };
}
