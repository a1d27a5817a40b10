import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SessionView } from "../../../lib/contracts/shard/index.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { createShardClient, shardToken } from "../../../lib/contracts/shard/index.ts";
import { asRedisUser } from "../../../lib/testing/redis_users.ts";
import { until } from "../../../lib/testing/until.ts";
import { freePort } from "../../../lib/testing/free_port.ts";
import { programCommand } from "../../../lib/testing/program.ts";
import { startChild } from "./child.ts";
import { registerService } from "./consul_service.ts";
import type { Child } from "./child.ts";
import type { SimulatorProcess } from "./simulator.ts";
import { Supervised } from "./supervised.ts";

export type ShardProcessOptions = {
  folder: string;
  simulator: Pick<SimulatorProcess, "wsUrl" | "noiseRoot">;
  redis: string;
  consul: string;
  /** Number of the shard, 1 by default. */
  number?: number;
  /** Path of its volume; in `folder` by default. */
  volume?: string;
  env?: Record<string, string>;
  /** Options of `bun run`, such as --cpu-prof. */
  bunArgs?: string[];
};

/** A shard as in production, under a supervisor that restarts it. */
export class ShardProcess extends Supervised {
  /** The clients' token, from which the shard's own is derived. */
  readonly token = "a-token-of-the-rig-for-the-shards";
  readonly port: number;
  readonly opsPort: number;
  readonly client = createShardClient({ token: this.token });
  /** AUTH_KEYS. */
  readonly keys = `rig:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`;
  readonly #options: ShardProcessOptions;

  private constructor(options: ShardProcessOptions, port: number, opsPort: number) {
    super(() => this.#launch());
    this.#options = options;
    this.port = port;
    this.opsPort = opsPort;
  }

  static async create(options: ShardProcessOptions): Promise<ShardProcess> {
    const shard = new ShardProcess(options, await freePort(), await freePort());
    mkdirSync(shard.volume, { recursive: true });
    return shard;
  }

  get location(): { shard: number; url: string } {
    return { shard: this.#number, url: `http://127.0.0.1:${this.port}` };
  }

  get logFile(): string {
    return join(this.#options.folder, `shard${this.#suffix}.log`);
  }

  get #number(): number {
    return this.#options.number ?? 1;
  }

  get #ownToken(): string {
    return shardToken(this.token, this.#number);
  }

  get #suffix(): string {
    return this.#number === 1 ? "" : `-${this.#number}`;
  }

  /** Path of its volume. */
  get volume(): string {
    return this.#options.volume ?? join(this.#options.folder, `volume${this.#suffix}`);
  }

  /** Connects a business's session; waits while the shard's interval between two logins on request lasts. */
  async connect(business: string): Promise<void> {
    const accepted = () =>
      this.client.connect(this.location, business, { method: "qr" }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof AppError && error.code === "rate_limited") return false;
          throw error;
        },
      );
    await until(accepted, { what: "an accepted connect request", everyMs: 500, deadlineMs: 300_000 });
  }

  /** Resolves when the shard answers. */
  async ready(): Promise<void> {
    const answers = async () => {
      // The operational port answers earlier, during a restore.
      await fetch(this.location.url);
      return (await fetch(`http://127.0.0.1:${this.opsPort}/health`)).ok;
    };
    await until(answers, { deadlineMs: 300_000, what: "the shard", everyMs: 10 });
  }

  async sessions(): Promise<Pick<SessionView, "business_id" | "status" | "reason">[]> {
    const response = await fetch(`${this.location.url}/sessions`, {
      headers: { authorization: `Bearer ${this.#ownToken}` },
    });
    return ((await response.json()) as { data: SessionView[] }).data;
  }

  /** Waits until `count` sessions are open. */
  async allOpen(count: number, deadlineMs = 300_000): Promise<void> {
    const open = async () => (await this.sessions()).filter(({ status }) => status === "open").length === count;
    await until(open, { deadlineMs, what: `${count} open sessions`, everyMs: 25 });
  }

  #launch(): Child {
    const { simulator, redis, consul, env, bunArgs = [] } = this.#options;
    return startChild({
      command: programCommand("services/whatsapp/main.ts", bunArgs),
      logFile: this.logFile,
      env: {
        HOST: "127.0.0.1",
        PORT: String(this.port),
        OPS_PORT: String(this.opsPort),
        LOG_LEVEL: "info",
        SHARD_INDEX: String(this.#number - 1),
        AUTH_DIR: this.volume,
        AUTH_KEYS: this.keys,
        SHARD_TOKEN: this.#ownToken,
        WA_WEBSOCKET_URL: simulator.wsUrl,
        WA_NOISE_ROOT: simulator.noiseRoot,
        REDIS_URL: asRedisUser(`redis://${redis}`, "shards"),
        CONSUL_HTTP_ADDR: consul,
        NOMAD_ALLOC_ID: "rig",
        PACING: "off",
        // `memory.max` of nomad/platform/wa-shards.nomad.hcl.
        BUN_JSC_forceRAMSize: String(1536 * 1024 * 1024),
        ...env,
      },
    });
  }
}

/** Registers the shard in Consul under its number, as Nomad does. The entry stays whatever happens to the process. */
export async function registerShard(consul: string, { port, location }: ShardProcess): Promise<void> {
  await registerService(consul, "whatsapp-shard", port, { shard: String(location.shard) });
}
