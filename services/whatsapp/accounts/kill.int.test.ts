import { describe, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { kill, launchUntil, processScenario } from "../testing/shard_process.ts";
import type { ShardProcess } from "../testing/shard_process.ts";
import { control, makePhone, newPhone, text } from "../testing/shard_under_test.ts";

const scenario = processScenario();

const jidOf = (phone: string) => `${phone}@s.whatsapp.net`;
const names = async (shard: ShardProcess) =>
  (await shard.readJournal("identities")).flatMap(({ data }) =>
    data.names.map(({ alias, chat }) => `${alias} ${chat}`),
  );

/** Runs a shard with a linked business until it is killed over a name, and then another one. */
async function killedOverName(learn: (shard: ShardProcess, business: string) => Promise<unknown>, phone: object) {
  const { simulator, launch } = scenario;
  const business = uuidv7();
  await control(simulator, "POST", "/phones", phone);
  const first = launch();
  await first.pair(simulator, business, newPhone());
  // The names that a store has when it is opened for the first time are announced as a whole.
  const other = newPhone();
  await makePhone(simulator, other);
  await first.send(business, [text(other, "hello")]);
  await until(async () => (await names(first)).some((pair) => pair.endsWith(jidOf(other))), { what: "the first name" });
  await kill(first);
  const second = launchUntil(scenario, "name of an account");
  await second.reaches(business, "open");
  await Promise.all([learn(second, business).catch(() => {}), second.exited]);
  const third = launch();
  await third.reaches(business, "open");
  return third;
}

describe("a name of an account that was stored before a kill", () => {
  test("is announced after the restart: its LID", async () => {
    const contact = newPhone();
    await makePhone(scenario.simulator, contact);
    const { lid } = await control<{ lid: string }>(scenario.simulator, "GET", `/phones/${contact}`);
    const send = (shard: ShardProcess, business: string) => shard.send(business, [text(contact, "you")]);
    const shard = await killedOverName(send, { phone: contact, naming: "lid_only" });
    await until(async () => (await names(shard)).includes(`${lid}@lid ${jidOf(contact)}`), { what: "the LID" });
  });

  test("is announced after the restart: another spelling", async () => {
    const [contact, spelling] = [newPhone(), newPhone()];
    const check = (shard: ShardProcess, business: string) =>
      shard.json("POST", `/sessions/${business}/numbers`, { numbers: [spelling] });
    const shard = await killedOverName(check, { phone: contact, spellings: [spelling] });
    await until(async () => (await names(shard)).includes(`${jidOf(spelling)} ${jidOf(contact)}`), {
      what: "the spelling",
    });
  });
});
