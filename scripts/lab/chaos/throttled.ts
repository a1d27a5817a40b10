import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish } from "../command.ts";
import { rounded } from "../figures.ts";
import { deliver, textTo } from "../rig/batch_sender.ts";
import { endOnSignals } from "../rig/child.ts";
import { eachOf, makeBusinesses, pairAll } from "../rig/pairing.ts";
import { settled } from "../rig/settled.ts";
import { startShardRig } from "../rig/shard_rig.ts";

const values = labCommand(
  "chaos:throttled",
  `Let WhatsApp refuse queries while a business writes to new chats.

Sends one message to each of many numbers that the account never wrote to, while the simulator
refuses its queries with 429. Starts every server it needs and stops all of them.`,
)
  .option("--chats <n>", "new chats", wholeNumber(), 200)
  .option("--seconds <n>", "how long queries are refused", wholeNumber(), 60)
  .option("--query <kind>", "the queries that are refused: usync or keys", "usync")
  .parse()
  .opts();
const { chats, seconds, query } = values;

const folder = await mkdtemp(join(tmpdir(), "prosaas-throttled-"));
endOnSignals();
const rig = await startShardRig({ folder });
try {
  const { simulator } = rig;
  const shard = rig.shards[0]!;
  const [business] = makeBusinesses(1, chats);
  const { id, phone, contacts } = business!;
  shard.start();
  await shard.ready();
  await pairAll(shard, simulator, [business!]);
  await eachOf(contacts, 8, async (contact) => void (await simulator.makePhone(contact)));

  await simulator.fault({ kind: "query_refuse", phone, query, code: 429 });
  const lifted = Bun.sleep(seconds * 1_000).then(() => simulator.clearFaults());
  const began = performance.now();
  const messages = contacts.map((contact) => textTo(contact, `an offer for ${contact}`));
  const { sent, failed } = await deliver(shard, [{ business: id, messages }], 1);
  await lifted;
  const tookS = (performance.now() - began) / 1_000;
  await settled(simulator);
  let shown = 0;
  for (const contact of contacts) shown += (await simulator.screen(contact)).data.length;
  const { queries_refused } = await simulator.stats();
  await publish("chaos:throttled", values, {
    chats,
    refused_s: seconds,
    delivered: shown,
    sent,
    failed: failed.length,
    queries_refused,
    took_s: rounded(tookS, 1),
  });
  if (shown !== chats || failed.length > 0) process.exitCode = 1;
} finally {
  await rig.stop();
  await rm(folder, { recursive: true, force: true });
}
