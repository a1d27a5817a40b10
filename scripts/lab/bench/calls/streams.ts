import { until } from "../../../../lib/testing/until.ts";
import type { ServiceProcess } from "../../../../services/calls/testing/process.ts";
import type { Stack } from "../../../../services/calls/testing/stack.ts";
import type { SimulatedCall } from "../../../../services/simulator/carrier/call.ts";
import type { EchoAgent } from "./echo.ts";

export type StreamLevel = {
  streams: number;
  /** Delays of single frames through the replica, each way, ms. */
  p50Ms: number;
  p99Ms: number;
  /** Share of the frames sent that reached the agent, and of its own that reached the carrier. */
  relayed: number;
  /** Time on a CPU a second, of the replica. */
  cores: number;
};

const frameBytes = 160;

/**
 * Holds `streams` calls through one replica for `seconds` and measures the delay of each frame, from the carrier to the
 * agent and from the agent's echo to the carrier. Carrier and agent run in this process and share its clock; delays of
 * this process count against the replica.
 */
export async function holdStreams(
  { stack, replica, echo, number }: { stack: Stack; replica: ServiceProcess; echo: EchoAgent; number: string },
  streams: number,
  seconds: number,
): Promise<StreamLevel & { calls: SimulatedCall[] }> {
  const toAgent: number[] = [];
  const toCarrier: number[] = [];
  let sent = 0;
  let measuring = false;
  // The first eight bytes of a frame carry its send time.
  const stamp = (audio: Buffer) => audio.writeDoubleLE(measuring ? performance.now() : 0);
  const age = (audio: Buffer): number | null => {
    const at = audio.length === frameBytes ? audio.readDoubleLE() : 0;
    return at > 0 && measuring ? performance.now() - at : null;
  };
  const audio = () => {
    const frame = Buffer.alloc(frameBytes, 0xff);
    stamp(frame);
    if (measuring) sent += 1;
    return frame;
  };
  echo.onFrame = (frame) => {
    const ms = age(frame);
    if (ms === null) return;
    toAgent.push(ms);
    stamp(frame);
  };
  const onAudio = (frame: Buffer) => {
    const ms = age(frame);
    if (ms !== null) toCarrier.push(ms);
  };

  const calls: SimulatedCall[] = [];
  // Ten at a time: no carrier sends a burst of a hundred.
  for (let i = 0; i < streams; i++) {
    calls.push(stack.carrier.dialIn({ from: "+15550000001", to: number, durationS: null, digits: "", audio, onAudio }));
    if (i % 10 === 9) await Bun.sleep(50);
  }
  await until(() => calls.every((call) => call.view().heard_ms > 500), {
    what: `${streams} streams`,
    deadlineMs: 30_000,
  });
  // A second of warm-up before the measurement.
  await Bun.sleep(1000);
  const cpuBefore = await cpuSeconds(replica.pid);
  const start = performance.now();
  measuring = true;
  await Bun.sleep(seconds * 1000);
  measuring = false;
  const cores = ((await cpuSeconds(replica.pid)) - cpuBefore) / ((performance.now() - start) / 1000);
  const delays = [...toAgent, ...toCarrier].toSorted((a, b) => a - b);
  const at = (share: number) =>
    delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? Number.POSITIVE_INFINITY;
  return {
    calls,
    streams,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    relayed: Math.min(toAgent.length, toCarrier.length) / sent,
    cores,
  };
}

/** CPU time of a process so far, s; USER_HZ is 100 on every Linux that Bun runs on. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await Bun.file(`/proc/${pid}/stat`).text()).split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
