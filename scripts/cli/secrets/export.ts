import { open, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { resultCommand, taskVariable } from "../arguments.ts";
import { readNomadAddress } from "../operator/stack.ts";
import { requireNomadLeader } from "../../stack/leaders.ts";
import { createNomad } from "../../stack/nomad.ts";
import { readHidden } from "./hidden_input.ts";
import { irreplaceable, irreplaceableOf } from "./irreplaceable.ts";
import { printPaper } from "./paper.ts";
import { armored, minPassphrase, seal } from "./sealed.ts";
import { readVariables } from "./variables.ts";

const options = resultCommand(
  "secrets:export",
  `Export every Nomad Variable of the platform into a file that is sealed with a passphrase.

The file has the format of age (age-encryption.org/v1, ASCII armor; scrypt makes the key): task
secrets:restore reads it, and age -d prints it as JSON. --paper writes a page of text to print, with
only those secrets of which a new one does not open what the old one sealed, as numbered lines
of base32 with check characters, and as a QR code. Give the passphrase (at least ${minPassphrase} characters) at
the prompt or on stdin. Keep it apart from the file: without it, the export cannot be opened.`,
  "TO=FILE [-- OPTIONS]",
)
  .addOption(taskVariable("--to <file>").makeOptionMandatory())
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--paper", `a page to print, with ${irreplaceable.map(({ name }) => name).join(", ")}`, false)
  .parse()
  .opts();

if (options.to === "") throw new AppError("invalid_request", "TO is missing: name the file to write.");
const file = resolve(join(options.from), options.to);
if ((await stat(file).catch(() => null)) !== null)
  throw new AppError("conflict", `${file} exists. Name another file: an older export may be the only one that opens.`);
const address = await readNomadAddress();
await requireNomadLeader(address);
const all = await readVariables(createNomad(address));
const variables = options.paper ? irreplaceableOf(all) : all;
const items = Object.values(variables).flatMap((one) => Object.keys(one));
if (items.length === 0) throw new AppError("conflict", "This cluster has no secrets to export.");
const passphrase = await readHidden("a passphrase for the export", { repeat: true });
const exportedAt = new Date().toISOString();
const sealed = await seal({ exportedAt, variables }, passphrase);
await writeNew(
  file,
  options.paper ? await printPaper(sealed, { cluster: address, exportedAt, contents: items }) : armored(sealed),
);
if (options.json) console.log(JSON.stringify({ file, variables: Object.keys(variables).length, items: items.length }));
else {
  console.log(`${items.length} items of ${Object.keys(variables).length} variables are sealed in ${file}`);
  console.log(`try it: task secrets:restore FROM=${file} -- --dry-run`);
}

/** Writes a file that does not exist yet, for its owner alone, and flushes it to the disk. */
async function writeNew(path: string, text: string): Promise<void> {
  try {
    const handle = await open(path, "wx", 0o600);
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
  } catch (cause) {
    throw new AppError("conflict", `${path} cannot be written: ${messageOf(cause)}`, { cause });
  }
}
