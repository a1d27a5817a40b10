import { AppError } from "../../lib/core/errors.ts";
import { sleep, withinGrace } from "../../lib/core/time.ts";
import { NoAnswer } from "../cli/operator/http.ts";
import { seconds } from "./progress.ts";
import { connectConsul } from "./consul.ts";
import { createNomad } from "./nomad.ts";
import type { Agents } from "./wait.ts";

/** An election takes up to 4 s on a loaded machine. */
const ELECTION_MS = 5_000;
const POLL_MS = 250;

/**
 * Waits until Nomad and Consul have leaders. A command that began without one would retry each of its requests for the
 * time of an election, and fail halfway.
 * @throws AppError that says so, while most servers are lost
 */
export async function requireLeaders({ nomadAddr, consulAddr }: Agents, withinMs = ELECTION_MS): Promise<void> {
  const consul = connectConsul(consulAddr);
  await Promise.all([
    requireNomadLeader(nomadAddr, withinMs),
    requireLeader(`Consul at ${consul.url}`, withinMs, async () => {
      const { body } = await consul.blockingGet("/v1/status/leader", { index: 0 });
      return body;
    }),
  ]);
}

/** As {@link requireLeaders}, for a command that needs Nomad only. */
export async function requireNomadLeader(nomadAddr: string, withinMs = ELECTION_MS): Promise<void> {
  const nomad = createNomad(nomadAddr, { settleMs: 0 });
  await requireLeader(`Nomad at ${nomadAddr}`, withinMs, () => nomad("GET", "/v1/status/leader"));
}

/** `ask` returns the leader's address, or an empty text. @throws NoAnswer if there is no agent to ask */
export async function requireLeader(agent: string, withinMs: number, ask: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + withinMs;
  for (;;) {
    let leader: unknown;
    let failure: unknown;
    // A server that still believes in a lost leader answers late.
    await withinGrace(
      end - performance.now(),
      ask().then(
        (answer) => (leader = answer),
        (error: unknown) => (failure = error),
      ),
    );
    if (leader) return;
    if (failure instanceof NoAnswer) throw failure;
    if (performance.now() + POLL_MS > end)
      throw new AppError(
        "unavailable",
        `${agent} found no leader within ${seconds(withinMs)}: half of its servers or more are lost. Nothing was ` +
          "changed, and what runs goes on. Start the servers, then run the command again.",
      );
    await sleep(POLL_MS);
  }
}
