import { until } from "../../../lib/testing/until.ts";
import type { SimulatorControl } from "./simulator.ts";

/** Resolves when the simulator has no mail left: every receipt was sent and acknowledged. */
export async function settled(simulator: SimulatorControl): Promise<void> {
  await until(async () => (await simulator.stats())["mail"] === 0, {
    deadlineMs: 60_000,
    what: "all receipts to be acknowledged",
    everyMs: 50,
  });
}
