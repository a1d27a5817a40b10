import { afterAll, afterEach, beforeAll, beforeEach, setDefaultTimeout } from "bun:test";
import { rmSync } from "node:fs";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { control, makePhone, newKeys, newPhone, newVolume, startShard, startSimulator } from "./shard_under_test.ts";
import type { InProcess, Simulator } from "./shard_under_test.ts";

type ShardOptions = Omit<Parameters<typeof startShard>[0], "simulator" | "volume" | "keys">;

export type Scenario = {
  simulator: Simulator;
  shard: InProcess;
  /** The business under test and its own number. */
  business: string;
  phone: string;
  /** A customer. */
  contact: string;
  fault(kind: string, more?: object): Promise<{ struck: number }>;
  /** A phone writes to the business. */
  write(from: string, body: object): Promise<{ id: string }>;
  restart(options?: ShardOptions): Promise<void>;
  /** Stanzas that the simulator holds until the business acknowledges them. */
  waitingMail(): Promise<number>;
  metric(name: string): Promise<number>;
};

/** Registers the hooks of a test file that runs one shard against one simulator. */
export function shardScenario(defaults: ShardOptions = {}): Scenario {
  setDefaultTimeout(60_000);
  let volume: string;
  let keys: string;
  const scenario = {
    fault: (kind: string, more: object = {}) =>
      control<{ struck: number }>(scenario.simulator, "POST", "/faults", { kind, phone: scenario.phone, ...more }),
    write: (from: string, body: object) =>
      control<{ id: string }>(scenario.simulator, "POST", `/phones/${from}/messages`, { to: scenario.phone, ...body }),
    restart: async (options: ShardOptions = defaults) => {
      await scenario.shard.stop();
      scenario.shard = startShard({ simulator: scenario.simulator, volume, keys, ...options });
    },
    waitingMail: async () => {
      const { devices } = await control<{ devices: { waiting: number }[] }>(
        scenario.simulator,
        "GET",
        `/phones/${scenario.phone}`,
      );
      return devices.reduce((sum, { waiting }) => sum + waiting, 0);
    },
    metric: async (name: string) =>
      Number(
        new RegExp(`^${name}[^\\n]* (\\S+)$`, "m").exec(
          await (await scenario.shard.request("GET", "/metrics")).text(),
        )?.[1],
      ),
  } as Scenario;
  beforeAll(() => {
    scenario.simulator = startSimulator();
  });
  afterAll(() => scenario.simulator.stop());
  beforeEach(async () => {
    volume = newVolume();
    keys = newKeys();
    scenario.shard = startShard({ simulator: scenario.simulator, volume, keys, ...defaults });
    Object.assign(scenario, { business: uuidv7(), phone: newPhone(), contact: newPhone() });
    await makePhone(scenario.simulator, scenario.contact);
  });
  afterEach(async () => {
    await control(scenario.simulator, "DELETE", "/faults");
    await scenario.shard.stop();
    rmSync(volume, { recursive: true });
  });
  return scenario;
}
