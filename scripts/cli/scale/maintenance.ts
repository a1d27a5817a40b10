import { InvalidArgumentError } from "@commander-js/extra-typings";
import { isIP } from "node:net";
import { taskVariable, wholeNumber } from "../arguments.ts";
import { oneOf, runScaleCommand, scaleCommand } from "./command.ts";
import { changeSetting, showSetting } from "./live_setting.ts";
import { formatMaintenance, maintenanceKey } from "./maintenance_setting.ts";

const setting = { key: maintenanceKey, title: "maintenance", first: "off" };
const onOrOff = oneOf("SET", ["on", "off"]);

await runScaleCommand(
  scaleCommand(
    "maintenance",
    "[SET=on|off]",
    `Show, start or end maintenance of the API.

While it is on, every edge answers requests to /v1 with 503 and Retry-After, within 3 s of this
command. Webhooks of the carrier, media streams of calls, the console's pages and the reference are
served as ever, and streams that are open stay open. Messages from WhatsApp are received all the while.`,
  )
    .addOption(taskVariable("--set <state>").argParser((text) => (text === "" ? undefined : onOrOff(text))))
    .option("--retry-after <s>", "seconds after which clients may try again", wholeNumber(1, 86_400), 600)
    .option("--allow <address>", "let a client address in; may be repeated", collectAddress, []),
  ({ set, retryAfter: retryAfterS, allow: allowed }) =>
    async (target) => {
      if (set === undefined) return [await showSetting(target, setting)];
      const value = set === "off" ? "off" : formatMaintenance({ retryAfterS, allowed });
      return [await changeSetting(target, setting, value)];
    },
);

function collectAddress(text: string, others: string[]): string[] {
  if (isIP(text) === 0) throw new InvalidArgumentError("Give an IP address, such as 203.0.113.7.");
  return [...others, text];
}
