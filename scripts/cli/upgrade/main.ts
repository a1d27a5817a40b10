import { join } from "node:path";
import { createProgress } from "../../stack/progress.ts";
import { resultCommand } from "../arguments.ts";
import { isAccepted, verdictTable } from "./report.ts";
import { versionIn } from "./scratch.ts";
import { planOf, tryVersion } from "./upgrade.ts";
import { exactVersion } from "./version.ts";

const program = resultCommand(
  "wa:upgrade",
  `Try another version of Baileys in a copy of this checkout.

Says for each hunk of our patches whether it applies, and runs the types, the public vectors, the
ledger of stanzas, the tests of the shard against the simulator, and bench:shard. Changes neither
this checkout nor a stack. Exits 1 if a check fails.`,
  "-- VERSION [OPTIONS]",
)
  .argument("<version>", "exact version of @whiskeysockets/baileys, such as 7.0.0-rc14", exactVersion)
  .option("--no-bench", "skip bench:shard")
  .option("--dry-run", "print the steps and run none", false)
  .parse();
const [version] = program.processedArgs;
const { json, bench, dryRun } = program.opts();

const root = join(import.meta.dir, "../../..");
const present = await versionIn(root);
if (dryRun) {
  const steps = await planOf({ root, version, bench });
  console.log(json ? JSON.stringify({ dry_run: true, version, present, steps }) : steps.join("\n"));
  process.exit(0);
}

// An interrupt ends the running command; the copy is removed before this process exits.
const interrupt = new AbortController();
let exitCode: number | undefined;
const interruptWith = (code: number) => {
  exitCode ??= code;
  interrupt.abort();
};
for (const [signal, code] of [
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.on(signal, () => interruptWith(code));

const { done } = createProgress();
const rows = await tryVersion({ root, version, bench, signal: interrupt.signal, say: done }).catch((error: unknown) => {
  if (interrupt.signal.aborted) return [];
  throw error;
});
if (exitCode !== undefined) {
  console.error("Interrupted. The copy was removed.");
  process.exit(exitCode);
}

const accepted = isAccepted(rows);
const verdict = accepted ? `Baileys ${version} passes.` : `Baileys ${version} does not pass.`;
if (json) console.log(JSON.stringify({ version, present, accepted, checks: rows }));
else console.log(`${verdictTable(rows)}\n\n${verdict} This checkout uses ${present}.`);
process.exit(accepted ? 0 : 1);
