import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { shardToken } from "../../../lib/contracts/shard/secrets.ts";
import { testConsulAddr, testRedisUrl } from "../../../lib/testing/servers.ts";
import { until } from "../../../lib/testing/until.ts";
import { programCommand, programEnv } from "../../../lib/testing/program.ts";
import {
  control,
  isOperational,
  newKeys,
  newVolume,
  ShardUnderTest,
  startSimulator,
  token,
} from "./shard_under_test.ts";
import type { Simulator } from "./shard_under_test.ts";

/**
 * A SHARD_INDEX that no earlier test of this process used: Consul keeps the lock of a killed shard for a while. Each
 * test process has its own Consul; where several share one, the random part keeps them apart.
 */
let nextIndex = 4_000 + Math.floor(Math.random() * 4_000);

/** A shard as it runs in production: a process of its own. */
export type ShardProcess = ShardUnderTest & {
  process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  log: () => string;
  exited: Promise<number>;
};

export type ProcessScenario = {
  simulator: Simulator;
  volume: string;
  keys: string;
  /** SHARD_INDEX; no other test on this Consul uses it. The shard's number is one more. */
  index: number;
  launch(env?: Record<string, string>, flags?: string[]): ShardProcess;
};

/** The point at which kill_points.preload.ts kills the process. */
export type KillPoint = "name of an account" | "logout" | "suspension";

/** Starts a shard that is killed once a login has stored something. */
export const launchUntil = (scenario: ProcessScenario, point: KillPoint): ShardProcess =>
  scenario.launch({ KILL_POINT: point }, ["--preload", join(import.meta.dir, "kill_points.preload.ts")]);

export const kill = async (shard: ShardProcess) => {
  shard.process.kill("SIGKILL");
  await shard.exited;
};

/** Registers the hooks of a test file that runs shard processes against one simulator. */
export function processScenario(): ProcessScenario {
  let running: ShardProcess[] = [];
  const scenario = {
    index: nextIndex,
    launch: (env: Record<string, string> = {}, flags: string[] = []) => {
      const started = launch(scenario, env, flags);
      running.push(started);
      return started;
    },
  } as ProcessScenario;
  beforeAll(() => {
    scenario.simulator = startSimulator();
  });
  afterAll(() => scenario.simulator.stop());
  beforeEach(() => {
    running = [];
    Object.assign(scenario, { volume: newVolume(), keys: newKeys(), index: nextIndex });
    nextIndex += 2;
  });
  afterEach(async () => {
    for (const { process } of running) process.kill("SIGKILL");
    await Promise.all(running.map(({ exited }) => exited));
    await control(scenario.simulator, "DELETE", "/faults");
    rmSync(scenario.volume, { recursive: true, force: true });
  });
  return scenario;
}

function launch(scenario: ProcessScenario, env: Record<string, string>, flags: string[]): ShardProcess {
  const { simulator, volume, keys, index } = scenario;
  const process = Bun.spawn(programCommand("services/whatsapp/main.ts", flags), {
    env: {
      ...programEnv(),
      SHARD_INDEX: String(index),
      AUTH_DIR: volume,
      AUTH_KEYS: keys,
      SHARD_TOKEN: shardToken(token, index + 1),
      PACING: "off",
      WA_WEBSOCKET_URL: simulator.wsUrl,
      WA_NOISE_ROOT: simulator.rootBase64,
      REDIS_URL: testRedisUrl("shards"),
      CONSUL_HTTP_ADDR: testConsulAddr(),
      NOMAD_ALLOC_ID: "under-test",
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let log = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) log += Buffer.from(chunk).toString();
  };
  const read = Promise.all([collect(process.stdout), collect(process.stderr)]);
  const port = (path: string) => (isOperational(path) ? /"ops_port":(\d+)/ : /"port":(\d+)/).exec(log)?.[1];
  const api = new ShardUnderTest(
    async (path, init) => fetch(`http://127.0.0.1:${await until(() => port(path), { what: "the port" })}${path}`, init),
    shardToken(token, index + 1),
  );
  const exited = process.exited.then(async (code) => {
    await read;
    return code;
  });
  return Object.assign(api, { process, log: () => log, exited });
}
