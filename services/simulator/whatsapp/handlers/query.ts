import type { FaultOf } from "../faults/faults.ts";
import { queries } from "../queries/index.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { child, node, server, StanzaError } from "../wire/stanza.ts";

/** Answers an `<iq>` with the handler of its namespace. Every query gets an answer, if only an error. */
export async function onQuery(simulation: Simulation, connection: Connection, iq: BinaryNode): Promise<void> {
  const { id, type, xmlns = "" } = iq.attrs;
  if (type === "result" || type === "error") {
    if (child(iq, "pair-device-sign")) simulation.pairing.signed(connection, iq);
    return;
  }
  const answer = queries[xmlns];
  simulation.stats.queries[xmlns] = (simulation.stats.queries[xmlns] ?? 0) + 1;
  try {
    if (!answer) {
      simulation.stats.unknown_queries[xmlns] = (simulation.stats.unknown_queries[xmlns] ?? 0) + 1;
      throw new StanzaError("501", "feature-not-implemented");
    }
    refuseByFault(simulation, connection, iq);
    const content = await answer({ simulation, connection, iq });
    if (content !== "answered") connection.send(node("iq", { from: server, type: "result", id }, content));
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    connection.send(
      node("iq", { from: server, type: "error", id }, [node("error", { code: error.code, text: error.message })]),
    );
  }
}

/** Queries that a fault can refuse, by namespace. Of the namespace `encrypt` only queries for other devices' keys. */
const refusable: Record<string, FaultOf<"query_refuse">["query"] | undefined> = {
  usync: "usync",
  encrypt: "keys",
  "w:g2": "groups",
};

function refuseByFault({ faults, stats }: Simulation, { login }: Connection, iq: BinaryNode): void {
  const query = refusable[iq.attrs["xmlns"] ?? ""];
  if (query === undefined || (query === "keys" && !child(iq, "key"))) return;
  const fault = faults.strikeIf("query_refuse", (candidate) => candidate.query === query, login?.phone.phone);
  if (!fault) return;
  stats.queries_refused += 1;
  throw new StanzaError(String(fault.code), refusals[fault.code] ?? "internal-server-error");
}

const refusals: Record<number, string> = { 429: "rate-overlimit", 503: "service-unavailable" };
