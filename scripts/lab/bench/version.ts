import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsul, kvPut } from "../../../lib/consul/client.ts";
import { waVersionKey } from "../../../lib/contracts/shard/wa_version.ts";
import { until } from "../../../lib/testing/until.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { endOnSignals } from "../rig/child.ts";
import { makeBusinesses, pairAll } from "../rig/pairing.ts";
import { startShardRig } from "../rig/shard_rig.ts";

const values = labCommand(
  "bench:version",
  `Measure how long sessions take to return after WhatsApp retired their client version.

Every login is refused with 405 until a new version is written to Consul. The shard is not restarted.`,
)
  .option("--sessions <n>", "WhatsApp sessions", wholeNumber(), 200)
  .parse()
  .opts();
const { sessions } = values;

const folder = await mkdtemp(join(tmpdir(), "prosaas-bench-"));
endOnSignals();
try {
  const rig = await startShardRig({ folder });
  try {
    const shard = rig.shards[0]!;
    shard.start();
    await shard.ready();
    await pairAll(shard, rig.simulator, makeBusinesses(sessions, 0));
    say(`${sessions} sessions are open`);
    const { starts } = shard;
    await rig.simulator.fault({ kind: "outdated", minimum: "2.4000.1" });
    await rig.simulator.fault({ kind: "drop" });
    const refused = async () =>
      (await shard.sessions()).filter(({ reason }) => reason?.includes("405")).length === sessions;
    await until(refused, { what: "405 at every session", deadlineMs: 60_000, everyMs: 50 });
    say("WhatsApp refused all of them with 405");
    const changed = performance.now();
    await kvPut(createConsul({ addr: rig.consul.address }), waVersionKey, "2.4000.2");
    await shard.allOpen(sessions);
    const reopenS = rounded((performance.now() - changed) / 1000);
    await publish("bench:version", values, {
      sessions,
      reopen_s: reopenS,
      restarts: shard.starts - starts,
    });
  } finally {
    await rig.stop();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
