import { freePort } from "./free_port.ts";

export type TestRedisServer = {
  url: string;
  start(): void;
  /** Stops the process until {@link goOn}. It accepts connections but does not answer. */
  hang(): void;
  goOn(): void;
  stop(): Promise<void>;
};

/**
 * Creates a Redis server of a single test that can be stopped and started. It persists and evicts nothing. `maxMemory`
 * is such as "24mb"; `users` is a file of `writeRedisUsers`.
 */
export async function createRedisServer({
  maxMemory,
  users,
}: { maxMemory?: string; users?: string } = {}): Promise<TestRedisServer> {
  const port = await freePort();
  let server: Bun.Subprocess | undefined;
  return {
    url: `redis://127.0.0.1:${port}`,
    start: () => {
      const limit = maxMemory === undefined ? [] : ["--maxmemory", maxMemory, "--maxmemory-policy", "noeviction"];
      const acl = users === undefined ? [] : ["--aclfile", users];
      const command = [
        "redis-server",
        "--port",
        `${port}`,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        ...limit,
        ...acl,
      ];
      server = Bun.spawn(command, {
        stdin: "ignore",
        stdout: "ignore",
      });
    },
    hang: () => server?.kill("SIGSTOP"),
    goOn: () => server?.kill("SIGCONT"),
    stop: async () => {
      server?.kill();
      await server?.exited;
      server = undefined;
    },
  };
}
