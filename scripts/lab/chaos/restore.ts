import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish } from "../command.ts";
import { restoreStack } from "./restore/scenario.ts";

const command = labCommand(
  "chaos:restore",
  `Back up a stack with businesses, files and calls, lose it, and restore it into an empty one.

Starts a stack whose shards copy their logins, and a bucket for backups. Businesses write to contacts
and exchange files; then the stack is backed up, and its jobs and data are deleted. Another stack is
restored from the backup. Compares every message and file, and writes again. WhatsApp's side goes on
all the time. Removes everything. Exits 1 if a message or a file differs, a session does not open, a QR
code was offered, or a phone could not decrypt a message.`,
)
  .option("--businesses <n>", "paired businesses", wholeNumber(1, 50), 3)
  .option("--messages <n>", "messages of each", wholeNumber(1, 1_000), 10);
const values = command.parse().opts();

const began = performance.now();
const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);

const { figures, faults } = await restoreStack(values, say);
for (const fault of faults) say(fault);
await publish("chaos:restore", values, figures);
process.exit(faults.length === 0 ? 0 : 1);
