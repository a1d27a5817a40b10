import type { ChaosResult } from "./chaos.ts";
import { rounded } from "../../figures.ts";

/** The counts of a run that must be 0. */
export function verdictOf(result: ChaosResult) {
  const { sent, received } = result;
  return {
    lost: sent.lost + received.lost,
    duplicates: sent.duplicates + received.duplicates,
    foreign: sent.foreign + received.foreign + result.invented,
    disordered_chats: sent.disordered + received.disordered,
    new_qr: result.relinked,
    ads_lost: result.adsLost,
    split_chats: result.splitChats,
    statuses_stored: result.statusesStored,
    passing_failures: result.passingFailures,
    needless_logins: result.needlessLogins,
    scenario_faults: result.faults.length,
    scenarios_missing: Object.values(result.happened).filter((times) => times === 0).length,
  };
}

/** The other figures of a run. */
export function figuresOf(result: ChaosResult) {
  return {
    sent: result.sent.sent,
    received: result.received.sent,
    ads_received: result.adsReceived,
    scenarios: Object.keys(result.happened).length,
    scenarios_happened: Object.values(result.happened).reduce((sum, times) => sum + times, 0),
    deaths: result.deaths,
    refused_as_told: result.refused,
    undecryptable_at_first: result.undecryptable,
    repeated_under_one_id: result.repeated,
    slowest_recovery_s: rounded(result.slowestRecoveryS, 1),
  };
}
