import { SimulatorProcess } from "../../rig/simulator.ts";
import type { Plan } from "./plan.ts";
import { perMinute, perSession, warmUpEach } from "./plan.ts";
import { startRaw } from "./raw.ts";
import { settled } from "./settled.ts";

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
    const each = perSession(plan, plan.messages);
    const before = raw.usage();
    const ms = await raw.run({ do: "send", label: "raw", each });
    await settled(simulator);
    const after = raw.usage();
    const sent = each * businesses.length;
    const result = {
      perMinute: perMinute(sent, ms),
      cpuMsPerMessage: (after.cpuMs - before.cpuMs) / sent,
      openS: openMs / 1000,
      kbPerSession: ((after.rssMb - idle.rssMb) * 1024) / businesses.length,
    };
    say(`raw: ${Math.round(result.perMinute)}/min, ${result.cpuMsPerMessage.toFixed(2)} ms of CPU a message`);
    return result;
  } finally {
    await raw.stop();
    await simulator.stop();
  }
}
