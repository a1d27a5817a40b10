import { bodyOf } from "../../../../lib/api-client/index.ts";
import type { Schemas } from "../../../../lib/api-client/index.ts";
import { closedSessions, forPlatform, listPacedBusinesses } from "../../../../lib/db/index.ts";
import type { ClosedSessions } from "../../../../lib/db/index.ts";
import type { PacedBusiness, Quarantine } from "../checks/sessions.ts";
import type { Cluster } from "./cluster.ts";

/** More kinds of failures than anyone reads. */
const mostReasons = 20;
/** Businesses whose sending stops are read, in as many requests to their shards. */
const mostPaced = 50;

export async function readClosedSessions(
  cluster: Cluster,
): Promise<{ closed: readonly ClosedSessions[]; now: number }> {
  const scope = forPlatform(await cluster.database());
  return { closed: await closedSessions(scope, { limit: mostReasons }), now: Date.now() };
}

export async function readStops(cluster: Cluster): Promise<PacedBusiness[]> {
  const ids = await listPacedBusinesses(forPlatform(await cluster.database()), { limit: mostPaced });
  const api = await cluster.api();
  return Promise.all(
    ids.map(async (business_id) => {
      const path = { business_id };
      const { state } = await bodyOf(api.GET("/v1/businesses/{business_id}/whatsapp/pacing", { params: { path } }));
      return { business_id, stops: state?.stops ?? [] };
    }),
  );
}

/** Entries whose replay is pending are not counted. */
export async function readQuarantine(cluster: Cluster): Promise<Quarantine> {
  const api = await cluster.api();
  const { data, next_cursor } = await bodyOf(api.GET("/v1/admin/quarantine", { params: { query: { limit: 100 } } }));
  const entries = data.filter(({ replay_requested_at }) => replay_requested_at === null).length;
  return { entries, isMore: next_cursor !== null };
}

export async function readQueues(cluster: Cluster): Promise<Schemas["Queue"][]> {
  return (await bodyOf((await cluster.api()).GET("/v1/admin/queues"))).data;
}

export async function readJournals(cluster: Cluster): Promise<Schemas["Assignment"][]> {
  return (await bodyOf((await cluster.api()).GET("/v1/admin/assignments"))).data;
}
