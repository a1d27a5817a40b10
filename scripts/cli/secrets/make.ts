import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { ensureShardLocks } from "../../stack/access/shard_locks.ts";
import { callConsul } from "../../stack/consul.ts";
import { requireNomadLeader } from "../../stack/leaders.ts";
import { createNomad } from "../../stack/nomad.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { addressesOf, completeSecrets, jobItems, readVariable, writeVariable } from "../../stack/secrets.ts";
import { ensureShardSecrets, maxShards } from "../../stack/shard_secrets.ts";
import { writeStateFile } from "../../stack/state_file.ts";
import { resultCommand, taskVariable } from "../arguments.ts";
import { readStack, stateFolder } from "../operator/stack.ts";
import { countOf } from "../scale/command.ts";

const { count, certificate, key, from, dryRun, json } = resultCommand(
  "secrets:make",
  `Generate the secrets that a cluster lacks, and give each job its own.

For a cluster that scripts/up did not create, before its first deployment. Writes prosaas/secrets and
nomad/jobs/<job>, for data services of the cluster's own at their usual ports; keeps every secret that is
there. Shards 1 to N get their own, and the right to their lock in Consul. For a managed service, write its
URL over the generated one. The first admin key is kept in admin.key of the cluster's folder.`,
  "N=SHARDS -- --certificate FILE --key FILE",
)
  .addOption(
    taskVariable("--count <n>")
      .argParser(countOf("N", { min: 1, max: maxShards }))
      .makeOptionMandatory(),
  )
  .requiredOption("--certificate <file>", "certificate of the edge in PEM, with its chain")
  .requiredOption("--key <file>", "its key in PEM")
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--dry-run", "print the plan and change nothing", false)
  .parse()
  .opts();

/** The ports of the job files, by the names that scripts/lib/stack.sh has for them. */
const ports = { postgres: "5432", postgres_replica: "5433", pgbouncer: "6432", redis: "6379" };

const data = ["postgres", "postgres-replica", "redis", "pgbouncer"];
const jobs = [...data, "migrate", "indexer", "wa-shards", "workers", "calls", "api", "nginx"];

/** Items by which a stack of scripts/up trusts its simulator. */
const ofSimulator = new Set(["WA_NOISE_ROOT", "NODE_EXTRA_CA_CERTS", "media_ca"]);

const read = (file: string) =>
  readFile(resolve(from, file), "utf8").catch(() => {
    throw new AppError("not_found", `${file} cannot be read.`);
  });

async function make(nomad: Nomad): Promise<{ added: string[]; changed: string[] }> {
  const root = await readVariable(nomad, "prosaas/secrets");
  const { secrets, added } = completeSecrets(root.Items);
  const [tls_certificate, tls_key] = [await read(certificate), await read(key)];
  const given = { wa_noise_root: "", tls_authority: "", tls_certificate, tls_key };
  if (!dryRun) await writeVariable(nomad, "prosaas/secrets", { ...root.Items, ...secrets }, root);
  const changed: string[] = [];
  for (const job of jobs) {
    const path = `nomad/jobs/${job}`;
    const variable = await readVariable(nomad, path);
    const items = jobItems(job, { ...secrets, ...given }, addressesOf(ports), {});
    const own = Object.entries(items).filter(([item]) => !ofSimulator.has(item));
    // An operator's values precede generated ones; of a certificate, the one at hand is meant.
    const kept = job === "nginx" ? {} : variable.Items;
    const wanted = { ...variable.Items, ...Object.fromEntries(own), ...kept };
    if (Bun.deepEquals(wanted, variable.Items)) continue;
    if (!dryRun) await writeVariable(nomad, path, wanted, variable);
    changed.push(job);
  }
  const state = stateFolder(process.env["PROSAAS_STACK"] || "dev");
  if (!dryRun) await writeStateFile(join(state, "admin.key"), `${secrets.admin_key}\n`);
  return { added, changed };
}

const stack = await readStack();
await requireNomadLeader(stack.nomad_addr);
const nomad = createNomad(stack.nomad_addr);
const { added, changed } = await make(nomad);
if (!dryRun) {
  await ensureShardSecrets(nomad, count);
  await ensureShardLocks({ nomad, consul: callConsul(stack.consul_http_addr) }, count);
}
if (json) console.log(JSON.stringify({ dry_run: dryRun, added, changed }));
else {
  console.log(`${added.length} secrets ${dryRun ? "would be" : "were"} generated: ${added.join(", ") || "none"}`);
  console.log(`${dryRun ? "would be given" : "given"} to: ${changed.join(", ") || "no job"}`);
}
