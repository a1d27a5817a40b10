import type { CopySurvey } from "../../operator/survey_copies.ts";
import { duration, error, quoted } from "../finding.ts";
import type { Fault } from "../finding.ts";

export type CopiesNow = {
  /** Allocations that the job of the shards requests. */
  shards: number;
  /** By shard; null if the shards keep no copies. */
  copies: ReadonlyMap<number, CopySurvey> | null;
};

/** An owner renews its lease of 15 s; a successor needs no longer than this. */
const unrenewedMs = 60_000;

const help = "See task copies, and services/whatsapp/copy/README.md.";

export function judgeCopies({ shards, copies }: CopiesNow): Fault[] {
  if (copies === null) return [];
  return Array.from({ length: shards }, (_, index) => index + 1).flatMap((shard) => {
    const why = faultOf(copies.get(shard));
    return why === null ? [] : [error(`Shard ${shard} could not be restored as it is now: ${quoted(why)}`, help)];
  });
}

function faultOf(copy: CopySurvey | undefined): string | null {
  if (copy === undefined) return "it has no copy";
  if (copy.fault !== null) return copy.fault;
  if (copy.restoring || -copy.lease_left_ms < unrenewedMs) return null;
  return `its copy is too old: no process has renewed its lease for ${duration(-copy.lease_left_ms)}`;
}
