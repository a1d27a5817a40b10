import { Logins } from "./logins.ts";
import type { Step } from "./steps.ts";
import { outcomeOf } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";
import type { Interval } from "./needless_logins.ts";
import { setStage } from "./stage.ts";
import { Traffic } from "./traffic.ts";

export type ChaosPlan = {
  steps: readonly Step[];
  businesses: number;
  /** Contacts of each business. */
  contacts: number;
  /** Messages a second in each direction. */
  perSecond: number;
  /** One scenario of the side traffic for so many messages of each direction. */
  scenarioEvery: number;
  /** Least messages in each direction. */
  messages: number;
  seconds: number;
  outageS: number;
  folder: string;
  say: (line: string) => void;
};

export type ChaosResult = Outcome & {
  /** Starts of the shard after the first. */
  deaths: number;
  /** Businesses that needed a new QR. */
  relinked: number;
  /** The longest time until all sessions were open after a step, s. */
  slowestRecoveryS: number;
};

/** Injects one fault after the other while messages flow in both directions. */
export async function chaos(plan: ChaosPlan): Promise<ChaosResult> {
  const { say, seconds, outageS } = plan;
  const stage = await setStage(plan.folder);
  try {
    const logins = await Logins.pair(stage, plan.businesses, plan.contacts);
    const traffic = new Traffic(stage, logins.businesses, plan);
    traffic.load.start();
    say(`${plan.businesses} businesses are paired; ${plan.perSecond} messages a second each way`);
    let slowestRecoveryS = 0;
    const outages: Interval[] = [];
    for (const { name, run, endsConnections } of plan.steps) {
      traffic.load.check();
      const from = Date.now();
      await run({ stage, logins, seconds, outageS });
      const recoveryS = await logins.allOpen();
      if (endsConnections) outages.push({ from, to: Date.now() });
      slowestRecoveryS = Math.max(slowestRecoveryS, recoveryS);
      say(`${name}: all open after ${recoveryS.toFixed(1)} s; ${traffic.load.count} messages each way so far`);
      await Bun.sleep(seconds * 1000);
    }
    await traffic.load.finish(plan.messages);
    say(`${traffic.load.count} messages were written each way; waiting for the last one to arrive`);
    const outcome = await outcomeOf(stage, traffic, { logins, outages });
    return { ...outcome, deaths: stage.shard.starts - 1, relinked: await logins.relinked(), slowestRecoveryS };
  } finally {
    await stage.stop();
  }
}
