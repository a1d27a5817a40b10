import { createNomad, nomadText } from "./nomad.ts";
import type { Allocation } from "./nomad.ts";

const EVENTS = 8;
const LOG_BYTES = 3_000;

/** The newest allocation's events and last log lines of a job that does not come up. */
export async function diagnose(addr: string, jobId: string): Promise<string> {
  const allocations = await createNomad(addr)<Allocation[]>("GET", `/v1/job/${encodeURIComponent(jobId)}/allocations`);
  const newest = allocations.toSorted((a, b) => b.CreateIndex - a.CreateIndex)[0];
  if (!newest) return `${jobId} has no allocation; see: nomad job status ${jobId}`;

  const lines = [`${newest.Name} (allocation ${newest.ID.slice(0, 8)}) is ${newest.ClientStatus}`];
  for (const [task, state] of Object.entries(newest.TaskStates ?? {})) {
    lines.push(`  task ${task}: ${state.State}, restarted ${state.Restarts} times`);
    for (const { Time, Type, DisplayMessage } of (state.Events ?? []).slice(-EVENTS)) {
      lines.push(`    ${new Date(Time / 1e6).toISOString().slice(11, 19)} ${Type}: ${DisplayMessage}`);
    }
    for (const type of ["stdout", "stderr"]) {
      const log = await readLog(addr, newest.ID, task, type);
      if (log !== "") lines.push(`    ${type}:`, ...log.split("\n").map((line) => `      ${line}`));
    }
  }
  return lines.join("\n");
}

async function readLog(addr: string, allocation: string, task: string, type: string): Promise<string> {
  const query = new URLSearchParams({ task, type, origin: "end", offset: String(LOG_BYTES), plain: "true" });
  return ((await nomadText(addr, `/v1/client/fs/logs/${allocation}?${query}`)) ?? "").trimEnd();
}
