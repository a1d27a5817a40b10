import { resultCommand, taskVariable } from "../arguments.ts";
import { readStack } from "../operator/stack.ts";
import { countOf } from "../scale/command.ts";
import { ensureShardLocks } from "../../stack/access/shard_locks.ts";
import { callConsul } from "../../stack/consul.ts";
import { requireNomadLeader } from "../../stack/leaders.ts";
import { createNomad } from "../../stack/nomad.ts";
import { maxShards, planShardSecrets } from "../../stack/shard_secrets.ts";

const { count, dryRun, json } = resultCommand(
  "secrets:shards",
  `Derive the secrets of shards 1 to N from shard_token and shard_keys in prosaas/secrets.

For a cluster that scripts/up did not create, before its shards are deployed; later scale:shards does
it. Keeps the secrets of further shards. task secrets:apply gives changed ones to shards that run.
Gives each shard a token in Consul too, which takes a management token in CONSUL_HTTP_TOKEN.`,
  "N=COUNT [-- OPTIONS]",
)
  .addOption(
    taskVariable("--count <n>")
      .argParser(countOf("N", { min: 1, max: maxShards }))
      .makeOptionMandatory(),
  )
  .option("--dry-run", "print the plan and change nothing", false)
  .parse()
  .opts();

const { nomad_addr, consul_http_addr } = await readStack();
await requireNomadLeader(nomad_addr);
const nomad = createNomad(nomad_addr);
const { added, changed, write } = await planShardSecrets(nomad, count);
if (!dryRun) {
  await write();
  await ensureShardLocks({ nomad, consul: callConsul(consul_http_addr) }, count);
}
if (json) console.log(JSON.stringify({ dry_run: dryRun, shards: count, added, changed }));
else {
  const verb = dryRun ? "would be" : "were";
  console.log(`shards 1 to ${count}: ${added.length} items ${verb} added, ${changed.length} ${verb} changed`);
  for (const item of [...added, ...changed]) console.log(`  ${item}`);
}
