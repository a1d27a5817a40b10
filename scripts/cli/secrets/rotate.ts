import { InvalidArgumentError } from "@commander-js/extra-typings";
import { taskVariable } from "../arguments.ts";
import { runScaleCommand, scaleCommand } from "../scale/command.ts";
import { catalogue, describeFormats } from "./catalogue.ts";
import type { Secret } from "./catalogue.ts";
import { planRotation } from "./plan_rotation.ts";

const rotatable = catalogue.filter(({ rotation }) => rotation !== undefined);

type Chosen = { secrets: readonly Secret[]; skip: boolean };

function chosen(text: string): Chosen {
  if (text === "all") return { secrets: rotatable.filter(({ rotation }) => rotation?.next !== undefined), skip: true };
  const secrets = text.split(",").flatMap((name) => rotatable.find((secret) => secret.name === name) ?? []);
  if (secrets.length === text.split(",").length) return { secrets, skip: false };
  const names = rotatable.map(({ name }) => name).join(", ");
  throw new InvalidArgumentError(`NAME must be all, or names with commas between of: ${names}.`);
}

const began = new Date().toISOString();

await runScaleCommand(
  scaleCommand(
    "secrets:rotate",
    "NAME=NAME[,NAME…]|all",
    `Replace secrets while everything runs: no request fails.

Each service first accepts the new value beside the old one, then clients use the new one, then
the old one is removed. After each step, allocations with the values are replaced one at a time.
Run again after an interruption, it goes on where it was. Key rings keep their old keys for reading.
The carrier makes its own token (twilio_auth_token): give the new one on stdin or at the prompt,
promote it there, then run the command again with --promoted. "all" leaves that one out.

Secrets and their formats:
${describeFormats(rotatable)}`,
  )
    .addOption(taskVariable("--name <names>").argParser(chosen).makeOptionMandatory())
    .option("--promoted", "the carrier signs with the new token: remove the old one", false),
  ({ name, promoted }) =>
    (target, settings) =>
      planRotation(target, settings, { ...name, promoted, began }),
);
