import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createConsul, kvPut } from "../../../lib/consul/client.ts";
import { waVersionKey } from "../../../lib/contracts/shard/wa_version.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { testConsulAddr } from "../../../lib/testing/servers.ts";
import { until } from "../../../lib/testing/until.ts";
import { kill, processScenario } from "../testing/shard_process.ts";
import type { ShardProcess } from "../testing/shard_process.ts";
import { control, newPhone } from "../testing/shard_under_test.ts";

const scenario = processScenario();
const consul = createConsul({ addr: testConsulAddr() });
const setVersion = (version: string) => kvPut(consul, waVersionKey, version);
const forget = async () => void (await consul.api.kv.del(waVersionKey));
beforeEach(forget);
afterEach(forget);

const fault = (kind: string, more: object = {}) => control(scenario.simulator, "POST", "/faults", { kind, ...more });

async function outdatedShard(sessions: number): Promise<{ shard: ShardProcess; businesses: string[] }> {
  const shard = scenario.launch();
  const businesses = Array.from({ length: sessions }, () => uuidv7());
  await Promise.all(businesses.map((business) => shard.pair(scenario.simulator, business, newPhone())));
  await fault("outdated", { minimum: "2.4000.1" });
  await fault("drop");
  for (const business of businesses) {
    await until(async () => (await shard.view(business)).reason?.includes("wa:version"), { what: "the refusal" });
  }
  return { shard, businesses };
}

// `bench:version` does the same with 200 sessions.
describe("a client version that WhatsApp has retired", () => {
  test("is replaced in Consul without a wait", async () => {
    const { shard, businesses } = await outdatedShard(4);
    expect(await (await shard.request("GET", "/metrics")).text()).toMatch(/whatsapp_alarms_total\S* 4\n/);
    // An invalid value is ignored.
    await setVersion("newest");
    await setVersion("2.4000.2");
    // The next attempts alone would come after at least five minutes.
    await Promise.all(businesses.map((business) => shard.reaches(business, "open")));
    expect(shard.process.exitCode).toBeNull();
  });

  test("is remembered by a shard that starts without it", async () => {
    const { shard, businesses } = await outdatedShard(1);
    await setVersion("2.4000.2");
    await shard.reaches(businesses[0]!, "open");
    await forget();
    const { stats } = scenario.simulator.simulation;
    const { logins } = stats;
    await fault("drop");
    await until(() => stats.logins > logins, { what: "the next login" });
    await shard.reaches(businesses[0]!, "open");
    await kill(shard);
    const successor = scenario.launch();
    await successor.reaches(businesses[0]!, "open");
    await until(() => successor.log().includes("the last known value"), { what: "the log entry" });
  });
});
