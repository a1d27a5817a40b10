import { SimulatorProcess } from "../../rig/simulator.ts";
import type { Plan } from "./plan.ts";
import { better, perMinute, perSession, warmUpEach } from "./plan.ts";
import { startRaw } from "./raw.ts";
import { settled } from "../../rig/settled.ts";

export type RawResult = { perMinute: number; cpuMsPerMessage: number; openS: number; kbPerSession: number };

export async function measureRaw(plan: Plan): Promise<RawResult> {
  const { businesses, say } = plan;
  const simulator = await SimulatorProcess.start(plan.folder, "simulator-raw");
  const raw = await startRaw(plan.folder, simulator);
  try {
    const idle = raw.usage();
    await raw.run({ do: "pair", businesses });
    say(`raw: ${businesses.length} paired`);
    const openMs = await raw.run({ do: "reopen" });
    await raw.run({ do: "send", label: "warm", each: warmUpEach(plan) });
    await settled(simulator);
    const round = async (label: string, total: number) => {
      const each = perSession(plan, total);
      const before = raw.usage();
      const ms = await raw.run({ do: "send", label, each });
      await settled(simulator);
      const sent = each * businesses.length;
      return { perMinute: perMinute(sent, ms), cpuMsPerMessage: (raw.usage().cpuMs - before.cpuMs) / sent };
    };
    const first = await round("raw", plan.messages);
    const kbPerSession = ((raw.usage().rssMb - idle.rssMb) * 1024) / businesses.length;
    const best = better(first, await round("later", plan.messages / 2));
    say(`raw: ${Math.round(best.perMinute)}/min, ${best.cpuMsPerMessage.toFixed(2)} ms of CPU a message`);
    return { ...best, openS: openMs / 1000, kbPerSession };
  } finally {
    await raw.stop();
    await simulator.stop();
  }
}
