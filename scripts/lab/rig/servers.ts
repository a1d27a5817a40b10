import { join } from "node:path";
import { writeRedisUsers } from "../../../lib/testing/redis_users.ts";
import { until } from "../../../lib/testing/until.ts";
import { freePort } from "../../../lib/testing/free_port.ts";
import type { Child } from "./child.ts";
import { startChild } from "./child.ts";

/** A server that can be stopped and started again under the same address. */
export type Server = {
  readonly address: string;
  start(): Promise<void>;
  /** Kills it with `signal`, SIGKILL by default (PostgreSQL: SIGQUIT). */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** SIGSTOP freezes it until SIGCONT; its connections stay open. */
  signal(signal: NodeJS.Signals): void;
  /** Undefined while the server is stopped. */
  pid(): number | undefined;
};

export function server(
  address: string,
  launch: () => Child,
  answers: () => Promise<boolean>,
  death: NodeJS.Signals = "SIGKILL",
): Server {
  let child: Child | undefined;
  return {
    address,
    start: async () => {
      child = launch();
      await until(answers, { deadlineMs: 60_000, what: `a server at ${address}` });
    },
    stop: async (signal = death) => {
      child?.kill(signal);
      await child?.exited;
      child = undefined;
    },
    signal: (signal) => child?.kill(signal),
    pid: () => child?.pid,
  };
}

/** Persists nothing, unless `settings` say otherwise. */
export async function redisServer(folder: string, settings: Record<string, string> = {}): Promise<Server> {
  const port = await freePort();
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const command = ["redis-server", "--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder];
  command.push("--aclfile", writeRedisUsers(folder), ...options);
  return server(
    `127.0.0.1:${port}`,
    () => startChild({ command, logFile: join(folder, "redis.log") }),
    async () => {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {} } });
      socket.end();
      return true;
    },
  );
}

/** A Consul server of one node; its data survives a restart, as that of a cluster does. */
export async function consulServer(folder: string): Promise<Server> {
  const [http, dns, rpc, serf] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const command = ["consul", "agent", "-server", "-bootstrap-expect=1", "-data-dir", join(folder, "consul")];
  command.push(
    "-bind=127.0.0.1",
    "-client=127.0.0.1",
    "-log-level=warn",
    "-http-port",
    `${http}`,
    "-dns-port",
    `${dns}`,
  );
  command.push(
    "-grpc-port=-1",
    "-grpc-tls-port=-1",
    "-server-port",
    `${rpc}`,
    "-serf-lan-port",
    `${serf}`,
    "-serf-wan-port=-1",
  );
  command.push("-hcl=disable_update_check = true", "-hcl=performance { raft_multiplier = 1 }");
  return server(
    `127.0.0.1:${http}`,
    () => startChild({ command, logFile: join(folder, "consul.log") }),
    async () => (await (await fetch(`http://127.0.0.1:${http}/v1/status/leader`)).text()).length > 4,
  );
}
