import { beforeEach, describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { text } from "../testing/shard_under_test.ts";
import { OwnershipUnconfirmed } from "../volume/owner.ts";

let suspended = false;
let refusals = 0;
const fence = () => {
  if (!suspended) return;
  refusals += 1;
  throw new OwnershipUnconfirmed(1);
};
const scenario = shardScenario({ fence });

beforeEach(() => {
  suspended = false;
  refusals = 0;
});

describe("a session of a process that was suspended", () => {
  test("stays open and acknowledges nothing until Consul answers", async () => {
    const { simulator, shard, business, phone, contact, contactWrites, received, waitingMail } = scenario;
    await shard.pair(simulator, business, phone);
    await until(async () => (await waitingMail()) === 0, { what: "the acknowledgements of the link" });
    suspended = true;
    await contactWrites("meanwhile");
    await until(() => refusals > 3, { what: "attempts to write" });
    expect(await waitingMail()).toBe(1);
    suspended = false;
    await until(async () => (await waitingMail()) === 0, { what: "the acknowledgement" });
    expect(await received()).toEqual(["meanwhile"]);
    expect((await shard.view(business)).status).toBe("open");
    expect((await shard.send(business, [text(contact, "back")]))[0]?.status).toBe("sent");
    expect(await scenario.metric("prosaas_whatsapp_alarms_total")).toBe(0);
  });

  test("reconnects soon if its connection was lost", async () => {
    const { simulator, shard, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    suspended = true;
    await fault("drop");
    await until(async () => (await shard.view(business)).reason?.includes("Consul"), { what: "the reason" });
    suspended = false;
    await shard.reaches(business, "open");
  });
});
