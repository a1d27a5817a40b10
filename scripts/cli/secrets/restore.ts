import { resolve } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { resultCommand, taskVariable } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { readNomadAddress } from "../operator/stack.ts";
import { requireNomadLeader } from "../../stack/leaders.ts";
import { createNomad } from "../../stack/nomad.ts";
import { readHidden } from "./hidden_input.ts";
import { planRestore } from "./restore_plan.ts";
import { open } from "./sealed.ts";

const options = resultCommand(
  "secrets:restore",
  `Write the secrets of an export into the Nomad Variables of a cluster, such as an empty one.

Reads a file of task secrets:export, or one with the typed lines or the scanned QR code of a paper.
Give the passphrase at the prompt or on stdin. Prints a plan first. Items of the cluster that the
export lacks stay; items with another value are replaced only with --yes, or when you confirm.
Afterwards deploy (./scripts/up), or run task secrets:shards, then task secrets:apply.`,
  "FROM=FILE [-- OPTIONS]",
)
  .addOption(taskVariable("--file <file>").makeOptionMandatory())
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--yes", "replace items that have another value, and ask nothing", false)
  .option("--dry-run", "open the export, print the plan and change nothing", false)
  .parse()
  .opts();

if (options.file === "") throw new AppError("invalid_request", "FROM is missing: name a file of task secrets:export.");
const file = Bun.file(resolve(options.from, options.file));
if (!(await file.exists())) throw new AppError("not_found", `There is no file ${file.name}.`);
const text = await file.text();
const address = await readNomadAddress();
await requireNomadLeader(address);
const { exportedAt, variables } = await open(text, await readHidden("the passphrase of the export"));
const { added, replaced, equal, write } = await planRestore(createNomad(address), variables);
if (!options.json) {
  console.log(`the export is of ${exportedAt}: ${equal} items are in the cluster already`);
  for (const item of added) console.log(`  add      ${item}`);
  for (const item of replaced) console.log(`  replace  ${item}`);
}
if (replaced.length > 0 && !options.dryRun && !options.yes)
  await confirm(`replace ${replaced.length} secrets of the cluster at ${address} by those of ${exportedAt}`);
if (!options.dryRun) await write();
if (options.json)
  console.log(JSON.stringify({ dry_run: options.dryRun, exported_at: exportedAt, added, replaced, equal }));
else console.log(options.dryRun ? "nothing was changed" : `wrote ${added.length + replaced.length} items`);
