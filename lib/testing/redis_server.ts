import { connect } from "node:net";
import { freePort } from "./free_port.ts";
import { until } from "./until.ts";

export type TestRedisServer = {
  url: string;
  /** Resolves when the server executes commands. */
  start(): Promise<void>;
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
    start: async () => {
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
      await redisReady(port);
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

/** Resolves when the Redis server at `port` executes commands: it listens before it has loaded its data. */
export async function redisReady(port: number): Promise<void> {
  await until(async () => /^(\+PONG|-NOAUTH)/.test(await answerToPing(port)), { what: "Redis" });
}

function answerToPing(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
  socket.setTimeout(2_000, () => reject(new Error("no answer within 2 s")));
  socket.once("data", (data) => resolve(String(data)));
  socket.once("error", reject);
  return promise.finally(() => socket.destroy());
}
