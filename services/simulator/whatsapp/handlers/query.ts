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
    if (content === "answered") return;
    const result = node("iq", { from: server, type: "result", id }, content);
    const kind = kindOf(iq);
    const late = simulation.faults.strikeIf("query_late", ({ query }) => query === kind, connection.login?.phone.phone);
    // Later stanzas of the connection do not wait for it.
    if (late) setTimeout(() => connection.send(result), late.ms).unref();
    else connection.send(result);
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    const { code, message: text, backoff } = error;
    connection.send(node("iq", { from: server, type: "error", id }, [node("error", { code, text, backoff })]));
  }
}

/** Queries that a fault can refuse, by namespace. Of the namespace `encrypt` only queries for other devices' keys. */
const refusable: Record<string, FaultOf<"query_refuse">["query"] | undefined> = {
  usync: "usync",
  encrypt: "keys",
  "w:g2": "groups",
  "w:m": "media",
  "w:sync:app:state": "app_state",
};

/** The kind of a query that a fault can affect. */
function kindOf(iq: BinaryNode): FaultOf<"query_refuse">["query"] | undefined {
  const query = refusable[iq.attrs["xmlns"] ?? ""];
  return query === "keys" && !child(iq, "key") ? undefined : query;
}

function refuseByFault({ faults, stats, ledger }: Simulation, { login }: Connection, iq: BinaryNode): void {
  const kind = kindOf(iq);
  const fault = faults.strikeIf("query_refuse", ({ query }) => query === kind, login?.phone.phone);
  if (!fault) return;
  stats.queries_refused += 1;
  ledger.record({ event: "query_refused", phone: login?.phone.phone ?? "", query: fault.query, code: fault.code });
  const backoff = fault.backoff === undefined ? undefined : String(fault.backoff);
  throw new StanzaError(String(fault.code), refusals[fault.code] ?? "internal-server-error", backoff);
}

const refusals: Record<number, string> = { 429: "rate-overlimit", 503: "service-unavailable" };
