import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import { rmSync } from "node:fs";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { control, makePhone, newKeys, newPhone, newVolume, startShard, startSimulator } from "./shard_under_test.ts";
import type { InProcess, Simulator } from "./shard_under_test.ts";

type ShardOptions = Omit<Parameters<typeof startShard>[0], "simulator" | "volume" | "keys">;

export type Scenario = {
  simulator: Simulator;
  /** The running shard, also after a restart. */
  readonly shard: InProcess;
  /** The shard's volume, and the key ring it is sealed under. */
  volume: string;
  keys: string;
  /** The business under test and its own number. */
  business: string;
  phone: string;
  /** A customer. */
  contact: string;
  fault(kind: string, more?: object): Promise<{ struck: number }>;
  /** A phone writes to the business. */
  write(from: string, body: object): Promise<{ id: string }>;
  /** Creates a group of the business and the customer. */
  makeGroup(): Promise<string>;
  /** The customer writes a text to the business. */
  contactWrites(text: string): Promise<{ id: string }>;
  /** The texts in the journal, in order. */
  received(): Promise<(string | null)[]>;
  /** Starts a shard on the volume; the earlier one was stopped. */
  start(options?: ShardOptions): void;
  restart(options?: ShardOptions): Promise<void>;
  /** Stanzas that the simulator holds until a phone's companions acknowledge them: by default the business's. */
  waitingMail(phone?: string): Promise<number>;
  metric(name: string): Promise<number>;
};

/** Registers the hooks of a test file that runs one shard against one simulator. */
export function shardScenario(defaults: ShardOptions = {}): Scenario {
  let running: InProcess;
  const shard = new Proxy({} as InProcess, {
    get: (_, property) => {
      const value: unknown = Reflect.get(running, property, running);
      return typeof value === "function" ? (value.bind(running) as unknown) : value;
    },
  });
  const scenario = {
    shard,
    fault: (kind: string, more: object = {}) =>
      control<{ struck: number }>(scenario.simulator, "POST", "/faults", { kind, phone: scenario.phone, ...more }),
    write: (from: string, body: object) =>
      control<{ id: string }>(scenario.simulator, "POST", `/phones/${from}/messages`, { to: scenario.phone, ...body }),
    makeGroup: async () => {
      const body = { subject: "Team", members: [scenario.phone, scenario.contact] };
      return (await control<{ id: string }>(scenario.simulator, "POST", "/groups", body)).id;
    },
    contactWrites: (text: string) => scenario.write(scenario.contact, { text }),
    received: async () => (await shard.readJournal("inbound")).map(({ data }) => data.text),
    start: (options: ShardOptions = defaults) => {
      const { simulator, volume, keys } = scenario;
      running = startShard({ simulator, volume, keys, ...options });
    },
    restart: async (options: ShardOptions = defaults) => {
      await shard.stop();
      scenario.start(options);
    },
    waitingMail: async (phone = scenario.phone) => {
      const { devices } = await control<{ devices: { waiting: number }[] }>(
        scenario.simulator,
        "GET",
        `/phones/${phone}`,
      );
      return devices.reduce((sum, { waiting }) => sum + waiting, 0);
    },
    metric: async (name: string) => {
      const metrics = await (await shard.request("GET", "/metrics")).text();
      return Number(new RegExp(`^${name}[^\\n]* (\\S+)$`, "m").exec(metrics)?.[1]);
    },
  } as Scenario;
  beforeAll(() => {
    scenario.simulator = startSimulator();
  });
  afterAll(() => scenario.simulator.stop());
  beforeEach(async () => {
    Object.assign(scenario, {
      volume: newVolume(),
      keys: newKeys(),
      business: uuidv7(),
      phone: newPhone(),
      contact: newPhone(),
    });
    scenario.start();
    await makePhone(scenario.simulator, scenario.contact);
  });
  afterEach(async () => {
    await control(scenario.simulator, "DELETE", "/faults");
    await shard.stop();
    rmSync(scenario.volume, { recursive: true });
  });
  return scenario;
}
