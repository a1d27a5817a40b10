import { readFile } from "node:fs/promises";

export type Worker = { pid: number; isOld: boolean };

/** The workers of an nginx by its master's pid. */
export async function workersOf(master: number): Promise<Worker[]> {
  const pids = (await readFile(`/proc/${master}/task/${master}/children`, "utf8")).trim().split(" ");
  const found = await Promise.all(
    pids.map(async (pid): Promise<Worker | null> => {
      try {
        const title = await readFile(`/proc/${pid}/cmdline`, "utf8");
        return { pid: Number(pid), isOld: title.includes("shutting down") };
      } catch {
        // The process has ended.
        return null;
      }
    }),
  );
  return found.filter((worker) => worker !== null);
}

/** The memory of an nginx in MB: of each process with its share of what it has in common with others. */
export async function memoryOf(master: number): Promise<number> {
  const pids = [master, ...(await workersOf(master)).map(({ pid }) => pid)];
  const memory = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "")));
  return memory.reduce((sum, text) => sum + Number(/^Pss: +(\d+)/m.exec(text)?.[1] ?? 0), 0) / 1024;
}
