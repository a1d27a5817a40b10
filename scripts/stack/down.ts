import { sleep } from "../../lib/core/time.ts";
import { readEnvironment } from "./environment.ts";
import { allJobs } from "./jobs.ts";
import { createNomad, orNull } from "./nomad.ts";
import type { Allocation, Job, Nomad } from "./nomad.ts";
import { createProgress, seconds } from "./progress.ts";

// The first half of scripts/down: ends the jobs while there are agents to end them. They stay known to Nomad, with
// the counts they were scaled to.

/** Above every kill_timeout of a job but the calls', which a stack that goes down does not wait for. */
const DEADLINE_MS = 60_000;

const nomad = createNomad(readEnvironment().nomadAddr);
const progress = createProgress();
const began = performance.now();

/** Stops a job; true when nothing of it runs any more. Clients of a service go before it. */
async function stop(id: string): Promise<boolean> {
  const path = `/v1/job/${id}`;
  const job = await orNull(nomad<Job>("GET", path));
  if (job === null) return true;
  if (!job.Stop) await nomad("DELETE", `${path}?no_shutdown_delay=true`);
  return isOver(nomad, path);
}

async function isOver(caller: Nomad, path: string): Promise<boolean> {
  const allocations = await caller<Allocation[]>("GET", `${path}/allocations`);
  return allocations.every(({ ClientStatus }) => ["complete", "failed", "lost"].includes(ClientStatus));
}

/** Stops these together and waits for them; returns those that still run at the deadline. */
async function stopAll(ids: readonly string[]): Promise<string[]> {
  let left = [...ids];
  for (;;) {
    const over = await Promise.all(left.map(stop));
    left = left.filter((_, index) => !over[index]);
    if (left.length === 0 || performance.now() - began > DEADLINE_MS) return left;
    progress.waiting(`${seconds(performance.now() - began)}  ${left.join(", ")}`);
    await sleep(200);
  }
}

const data = ["postgres", "redis"];
const left = [...(await stopAll(allJobs.filter((id) => !data.includes(id)))), ...(await stopAll(data))];
if (left.length > 0) {
  progress.done(`still running: ${left.join(", ")}`);
  process.exit(1);
}
progress.done(`all stopped (${seconds(performance.now() - began)})`);
