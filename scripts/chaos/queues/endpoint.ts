/** An endpoint of customers that refuses one request in twenty and notes what it took. */
export function startEndpoint() {
  const taken = new Map<string, number>();
  let refused = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      await request.arrayBuffer();
      if (Math.random() < 0.05) {
        refused += 1;
        return new Response(null, { status: 503 });
      }
      const id = request.headers.get("webhook-id") ?? "";
      taken.set(id, (taken.get(id) ?? 0) + 1);
      return new Response(null, { status: 204 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    /** How often each delivery was taken, by webhook-id. */
    taken: taken as ReadonlyMap<string, number>,
    refused: () => refused,
    stop: () => server.stop(true),
  };
}
