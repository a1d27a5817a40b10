import { join } from "node:path";
import { commandLine } from "../../cli/arguments.ts";
import { checkModel, mutationsOf, settingsOf } from "./spin.ts";
import type { Checked } from "./spin.ts";

const root = join(import.meta.dir, "../../..");
const { mutations: withMutations, json } = commandLine(
  "verify:models",
  `Check the models of the protocols (services/**/*.pml) with SPIN: every reachable state of each, and
that SPIN finds a violation once any of a model's rules is removed.`,
)
  .option("--no-mutations", "check the models only, and none without a rule")
  .option("--json", "print one JSON object as the last line", false)
  .parse()
  .opts();

type Outcome = { model: string; defines: string } & Checked;
const outcomes: Outcome[] = [];
const faults: string[] = [];

const check = async (model: string, ...defines: string[]): Promise<Checked> => {
  const checked = await checkModel({ file: join(root, model), defines, optimize: true });
  outcomes.push({ model, defines: defines.join(" "), ...checked });
  const verdict = checked.violation ?? (checked.isComplete ? "holds" : "not finished");
  const effort = `${checked.states} states, ${checked.seconds.toFixed(1)} s`;
  process.stderr.write(`${model} ${defines.join(" ")}: ${verdict} (${effort})\n`);
  return checked;
};

for await (const model of new Bun.Glob("services/**/*.pml").scan({ cwd: root })) {
  const text = await Bun.file(join(root, model)).text();
  const settings = settingsOf(text);
  for (const setting of settings) {
    const { violation, isComplete } = await check(model, setting);
    if (!isComplete) faults.push(`${model} (${setting}): ${violation ?? "not every state was visited"}`);
  }
  for (const mutation of withMutations ? mutationsOf(text) : []) {
    // A rule may matter under one of the settings only.
    let isFound = false;
    for (const setting of settings) isFound ||= (await check(model, setting, mutation)).violation !== undefined;
    if (!isFound) faults.push(`${model}: nothing is violated with ${mutation}`);
  }
}
if (json) console.log(JSON.stringify({ checked: outcomes.length, outcomes, faults }));
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exit(faults.length > 0 ? 1 : 0);
