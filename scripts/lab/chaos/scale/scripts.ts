import { root } from "../../../stack/environment.ts";
import type { Stage } from "./stage.ts";

/** The scripts of commands that a run starts, below scripts/cli. */
export const scriptFiles = {
  api: "scale/api.ts",
  assignment: "scale/assignment.ts",
  calls: "scale/calls.ts",
  deploy: "deploy/main.ts",
  drain: "scale/nodes/drain.ts",
  join: "scale/nodes/join.ts",
  plan: "scale/plan.ts",
  rebalance: "scale/rebalance.ts",
  restore: "restore/main.ts",
  rollback: "deploy/rollback.ts",
  shards: "scale/shards.ts",
  workers: "scale/workers.ts",
};
export type Script = keyof typeof scriptFiles;

/** Kills a script with SIGKILL, `ms` after a line that matches `after`. */
export type Kill = { after: RegExp; ms?: number };

/** The outcome of a script that was run to its end. */
export type Ended = { code: number; stdout: string; stderr: string; seconds: number };

/** Runs a script as its task does, whether it succeeds or not. */
export async function endScript(stage: Stage, script: Script, args: readonly string[]): Promise<Ended> {
  const began = performance.now();
  const child = start(stage, script, [...args, "--json"]);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr, seconds: (performance.now() - began) / 1000 };
}

/** Runs a script as its task does; returns its JSON. @throws if it does not exit 0 */
export async function runScript(
  stage: Stage,
  script: Script,
  args: readonly string[],
): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await endScript(stage, script, args);
  if (code !== 0) throw new Error(`${script} ${args.join(" ")} exited ${code}: ${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Record<string, unknown>;
}

/** Runs a script and kills it midway; false if it ended before. */
export async function killScript(
  stage: Stage,
  script: Script,
  args: readonly string[],
  { after, ms = 0 }: Kill,
): Promise<boolean> {
  const child = start(stage, script, args);
  let output = "";
  let killed = false;
  for await (const chunk of child.stderr) {
    output += new TextDecoder().decode(chunk);
    if (killed || !after.test(output)) continue;
    killed = true;
    await Promise.race([child.exited, Bun.sleep(ms)]);
    if (child.exitCode !== null) return false;
    child.kill("SIGKILL");
  }
  await child.exited;
  return killed;
}

/** Kills a script at each of the points and runs it again to its end. */
export async function killAndFinish(
  stage: Stage,
  script: Script,
  args: readonly string[],
  kills: readonly Kill[],
): Promise<number> {
  let killed = 0;
  for (const kill of kills) if (await killScript(stage, script, args, kill)) killed += 1;
  await runScript(stage, script, args);
  stage.say(`${script} ${args.join(" ")}: done after ${killed} kills`);
  return killed;
}

function start({ env }: Stage, script: Script, args: readonly string[]) {
  return Bun.spawn([process.execPath, "run", `scripts/cli/${scriptFiles[script]}`, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}
