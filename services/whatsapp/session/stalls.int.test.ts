import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { processScenario } from "../testing/shard_process.ts";
import { control, makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";

const scenario = processScenario();

/** Longer than WhatsApp has for an acknowledgement. */
const stallMs = 9_000;

describe("a suspended process", () => {
  test("keeps its connection and reads the waiting acknowledgement", async () => {
    const { simulator, launch } = scenario;
    const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
    await makePhone(simulator, contact);
    const shard = launch();
    await shard.pair(simulator, business, phone);
    const { logins, messages_accepted: accepted } = simulator.simulation.stats;
    await control(simulator, "POST", "/faults", { kind: "ack_delay", ms: 5_000 });
    let sent = false;
    const sending = shard.deliver(business, [text(contact, "across the stall")]).finally(() => (sent = true));
    await until(() => simulator.simulation.stats.messages_accepted > accepted, { what: "the message" });
    shard.process.kill("SIGSTOP");
    expect(sent).toBeFalse();
    await Bun.sleep(stallMs);
    shard.process.kill("SIGCONT");
    expect((await sending)[0]?.status).toBe("sent");
    expect(await screenOf(simulator, contact)).toMatchObject({ texts: ["across the stall"], duplicates: 0 });
    expect(simulator.simulation.stats.logins).toBe(logins);
  });
});
