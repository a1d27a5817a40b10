import { readdir, readFile } from "node:fs/promises";

/** Every process of the machine. */
export async function processIds(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Processes of an allocation, by the name of its control group. */
export async function processesOf(allocationId: string): Promise<number[]> {
  const pids = await processIds();
  const cgroups = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "")));
  return pids.filter((_, index) => cgroups[index]!.includes(allocationId));
}

/** Empty where the process has ended. */
export const commandLine = (pid: number) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");

/** The process of a service (services/<name>) in an allocation: Nomad's executor and log monitor are no part of it. */
export async function serviceProcess(allocationId: string, name: string): Promise<number> {
  for (const pid of await processesOf(allocationId)) {
    const command = await commandLine(pid);
    if (command.includes(`services/${name}/main.js`) && !command.includes("executor")) return pid;
  }
  throw new Error(`no process of services/${name} in allocation ${allocationId}`);
}
