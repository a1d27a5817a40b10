/** A Redis of the test's own, to be stopped and started: it keeps nothing. */
export async function createRedisServer(): Promise<{ url: string; start(): void; stop(): Promise<void> }> {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = listener;
  listener.stop(true);
  let server: Bun.Subprocess | undefined;
  return {
    url: `redis://127.0.0.1:${port}`,
    start: () => {
      server = Bun.spawn(["redis-server", "--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], {
        stdin: "ignore",
        stdout: "ignore",
      });
    },
    stop: async () => {
      server?.kill();
      await server?.exited;
      server = undefined;
    },
  };
}
