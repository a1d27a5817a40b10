import { messageOf } from "../../../../lib/core/errors.ts";
import { eachOf } from "../../rig/pairing.ts";
import type { Business } from "../../rig/pairing.ts";
import type { BothSides } from "./both_sides.ts";
import type { Claim } from "./scenarios/claim.ts";
import { scenarios } from "./scenarios/index.ts";
import { Occurrence, oneOf, Register, shuffled } from "./scenarios/occurrence.ts";
import type { Scenario, SideStage } from "./scenarios/occurrence.ts";

/** Scenarios in progress; during an outage, no more begin. */
const maxInProgress = 100;
/** Claims that are checked at a time: a check reads the screen of a phone. */
const width = 16;
/** Repetitions of a scenario that another fault of the run prevented. */
const maxRepetitions = 3;

export type Claimed = { scenario: string; claim: Claim };

async function faultsIn({ scenario, claim }: Claimed, sides: BothSides): Promise<string[]> {
  const found: string[] = [];
  for (const check of claim.checks) found.push(...(await check(sides)));
  return found.map((fault) => `${scenario}: ${fault}`);
}

/** Runs every scenario in turn, in a random order, each for a random business, and checks their claims. */
export class SideTraffic {
  readonly register = new Register();
  readonly #stage: SideStage;
  readonly #businesses: readonly Business[];
  readonly #claims: Claimed[] = [];
  /** Scenarios that did not reach their end. */
  readonly #broken: string[] = [];
  #deck: Scenario[] = [];
  #inProgress = 0;

  constructor(stage: SideStage, businesses: readonly Business[]) {
    this.#stage = stage;
    this.#businesses = businesses;
  }

  /** Runs the next scenario. */
  async next(): Promise<void> {
    if (this.#inProgress >= maxInProgress) return;
    if (this.#deck.length === 0) this.#deck = shuffled(scenarios);
    await this.#run(this.#deck.pop()!);
  }

  /** Runs the rest of the scenarios in turn, and again those that another fault prevented. */
  async finish(read: () => Promise<BothSides>): Promise<void> {
    while (this.#deck.length > 0) await this.next();
    for (let n = 0; n < maxRepetitions; n++) {
      const happened = this.happened(await read());
      const missing = scenarios.filter(({ name }) => happened[name] === 0);
      if (missing.length === 0) return;
      for (const scenario of missing) await this.#run(scenario);
    }
  }

  /** How often each scenario happened. */
  happened(sides: BothSides): Record<string, number> {
    const times = Object.fromEntries(scenarios.map(({ name }) => [name, 0]));
    for (const { scenario, claim } of this.#claims) if (claim.happened(sides)) times[scenario]! += 1;
    return times;
  }

  /** The claims that do not hold yet, of these. */
  async unmet(sides: BothSides, claims: readonly Claimed[] = this.#claims): Promise<Claimed[]> {
    const unmet: Claimed[] = [];
    await eachOf(claims, width, async (each) => {
      if ((await faultsIn(each, sides)).length > 0) unmet.push(each);
    });
    return unmet;
  }

  /** Differences between both sides, each with the scenario. */
  async faults(sides: BothSides): Promise<string[]> {
    const faults = [...this.#broken];
    await eachOf(this.#claims, width, async (each) => void faults.push(...(await faultsIn(each, sides))));
    return faults;
  }

  async #run({ name, run }: Scenario): Promise<void> {
    this.#inProgress += 1;
    try {
      const claim = await run(new Occurrence(this.#stage, this.register, oneOf(this.#businesses)));
      this.#claims.push({ scenario: name, claim });
    } catch (error) {
      this.#broken.push(`${name}: ${messageOf(error)}`);
    } finally {
      this.#inProgress -= 1;
    }
  }
}
