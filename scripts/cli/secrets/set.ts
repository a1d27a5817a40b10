import { AppError } from "../../../lib/core/errors.ts";
import { resultCommand, taskVariable } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { readNomadAddress } from "../operator/stack.ts";
import { requireNomadLeader } from "../../stack/leaders.ts";
import { createNomad } from "../../stack/nomad.ts";
import { describeFormats, secretOf } from "./catalogue.ts";
import { readHidden } from "./hidden_input.ts";
import { planSecret, planSetting } from "./set_value.ts";

const listOf = (text: string): string[] => text.split(",").filter(Boolean);

const options = resultCommand(
  "secrets:set",
  `Set a secret, or a setting of single jobs, to a value from stdin or from a prompt without echo.

A secret of the platform is given to all jobs that have it. Any other NAME, such as
S3_SECRET_ACCESS_KEY, is an item of nomad/jobs/JOB for each job of JOBS: a setting of the service,
or a name in small letters for a template. The value never comes as an argument.
task secrets:apply rolls it out. To replace a value in use, task secrets:rotate fails no request.

Secrets of the platform and their formats:
${describeFormats()}`,
  "NAME=NAME [JOBS=JOB,JOB] [-- OPTIONS]",
)
  .addOption(taskVariable("--name <name>").makeOptionMandatory())
  .addOption(
    taskVariable("--jobs <jobs>")
      .argParser(listOf)
      .default([] as string[]),
  )
  .option("--yes", "replace a value without the overlap of a rotation, and ask nothing", false)
  .option("--drop-keys", "leave out keys of a ring: nothing is sealed under them any more", false)
  .option("--dry-run", "check the value, print the plan and change nothing", false)
  .parse()
  .opts();

if (options.name === "") throw new AppError("invalid_request", "NAME is missing: task secrets lists the names.");
const address = await readNomadAddress();
await requireNomadLeader(address);
const nomad = createNomad(address);
const secret = secretOf(options.name);
const value = await readHidden(`the value of ${options.name}`);
const { changes, replaces, write } =
  secret === undefined
    ? await planSetting(nomad, options.name, options.jobs, value)
    : await planSecret(nomad, secret, value, options);
if (replaces && !options.dryRun && !options.yes)
  await confirm(
    `replace ${options.name} at once; task secrets:rotate would keep the old value until no process has it`,
  );
if (!options.dryRun) await write();
if (options.json) console.log(JSON.stringify({ dry_run: options.dryRun, changes }));
else if (changes.length === 0) console.log(`${options.name} has this value already`);
else {
  console.log(`${options.dryRun ? "would write" : "wrote"} ${changes.join(", ")}`);
  if (!options.dryRun) console.log("task secrets:apply gives it to the processes that run");
}
