import { join } from "node:path";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import { shardService } from "../../../lib/routing/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { startChild } from "./child.ts";
import type { Child } from "./child.ts";
import { eachOf } from "./pairing.ts";

/** Shards of a node. The addresses of the nodes are 127.0.1.1, 127.0.2.1, … */
export const shardsPerNode = 20;

/** Listens on a port of its own, prints it, and answers 200 to every request until it is killed. */
const answering = 'console.log(Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") }).port)';

/** A process that answers HTTP, with its port. Logs to `logFile`. */
export async function startAnswering(logFile: string): Promise<Child & { port: number }> {
  const child = startChild({ command: [process.execPath, "-e", answering], logFile });
  const [port] = await until(() => /^\d+$/m.exec(child.log()), { what: "a process to listen", everyMs: 5 });
  return { ...child, port: Number(port) };
}

export type LightShardsOptions = {
  folder: string;
  consul: ConsulClient;
  first: number;
  last: number;
  /** Longer than in the job file (2 and 5 s) by default, because one agent checks all shards. */
  checkInterval?: string;
};

/**
 * Shards that exist in Consul only: each is registered with the agent, with the two checks of the job file, at an
 * address that nothing serves. One process answers all checks.
 */
export class LightShards {
  readonly #consul: ConsulClient;
  readonly #health: Child & { port: number };
  readonly #checkInterval: string;
  #nextPort = 20_000;

  private constructor(consul: ConsulClient, health: Child & { port: number }, checkInterval: string) {
    this.#consul = consul;
    this.#health = health;
    this.#checkInterval = checkInterval;
  }

  /** Registers the shards `first` to `last`. */
  static async start({ folder, consul, first, last, checkInterval = "15s" }: LightShardsOptions): Promise<LightShards> {
    const health = await startAnswering(join(folder, "light-shards.log"));
    const shards = new LightShards(consul, health, checkInterval);
    const numbers = Array.from({ length: last - first + 1 }, (_, n) => first + n);
    try {
      await eachOf(numbers, 16, async (shard) => void (await shards.register(shard)));
    } catch (error) {
      await shards.stop();
      throw error;
    }
    return shards;
  }

  /** Registers a shard at another port than before, as after a restart. Returns its URL. */
  async register(shard: number): Promise<string> {
    const port = this.#nextPort;
    this.#nextPort = port < 65_535 ? port + 1 : 20_000;
    const address = `127.0.${Math.ceil(shard / shardsPerNode)}.1`;
    const check = {
      HTTP: `http://127.0.0.1:${this.#health.port}/`,
      Interval: this.#checkInterval,
      Timeout: "10s",
      Status: "passing",
      FailuresBeforeCritical: 2,
    };
    await this.#put("register", {
      ID: idOf(shard),
      Name: shardService,
      Tags: [`shard-${shard}`],
      Address: address,
      Port: port,
      Meta: { shard: String(shard) },
      Checks: ["alive", "ready"].map((name) => ({ Name: name, ...check })),
    });
    return `http://${address}:${port}`;
  }

  deregister(shard: number): Promise<void> {
    return this.#put(`deregister/${idOf(shard)}`);
  }

  /** Ends the answers to checks. The registrations stay. */
  async stop(): Promise<void> {
    this.#health.kill("SIGKILL");
    await this.#health.exited;
  }

  async #put(path: string, body?: unknown): Promise<void> {
    const answer = await fetch(`${this.#consul.url}/v1/agent/service/${path}`, {
      method: "PUT",
      // A kept connection does not survive a restart of the agent.
      keepalive: false,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`Consul refused ${path}: ${await answer.text()}`);
  }
}

const idOf = (shard: number) => `light-shard-${shard}`;
