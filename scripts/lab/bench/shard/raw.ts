import { join } from "node:path";
import { bunRun, startChild } from "../../rig/child.ts";
import type { Usage } from "../../rig/child.ts";
import type { SimulatorProcess } from "../../rig/simulator.ts";
import type { RawAnswer, RawCommand } from "./raw_baileys.ts";

/** Bare Baileys, in a process of its own. */
export type RawProcess = {
  /** Returns the duration in ms. */
  run(command: RawCommand): Promise<number>;
  usage(): Usage;
  stop(): Promise<void>;
};

export async function startRaw(folder: string, simulator: SimulatorProcess): Promise<RawProcess> {
  let answered = Promise.withResolvers<RawAnswer>();
  const child = startChild({
    command: bunRun("scripts/lab/bench/shard/raw_baileys.ts", simulator.url, simulator.wsUrl, simulator.noiseRoot),
    logFile: join(folder, "raw.log"),
    ipc: (message) => answered.resolve(message as RawAnswer),
  });
  const ended = child.exited.then((code): RawAnswer => ({
    error: `it ended with ${code}: ${child.log().slice(-2000)}`,
  }));
  const answer = async (): Promise<number> => {
    const said = await Promise.race([answered.promise, ended]);
    if ("error" in said) throw new Error(`raw Baileys: ${said.error}`);
    return said.ms;
  };
  await answer();
  return {
    run: (command) => {
      answered = Promise.withResolvers<RawAnswer>();
      child.send(command);
      return answer();
    },
    usage: () => child.usage(),
    stop: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
