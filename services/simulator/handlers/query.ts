import { queries } from "../queries/index.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { child, node, server, StanzaError } from "../wire/stanza.ts";

/** An `<iq>`: answered by the handler of its namespace; nothing a client asks stays without an answer. */
export async function onQuery(simulation: Simulation, connection: Connection, iq: BinaryNode): Promise<void> {
  const { id, type, xmlns = "" } = iq.attrs;
  if (type === "result" || type === "error") {
    if (child(iq, "pair-device-sign")) simulation.pairing.signed(connection, iq);
    return;
  }
  const answer = queries[xmlns];
  try {
    if (!answer) {
      simulation.stats.unknown_queries[xmlns] = (simulation.stats.unknown_queries[xmlns] ?? 0) + 1;
      throw new StanzaError("501", "feature-not-implemented");
    }
    const content = await answer({ simulation, connection, iq });
    if (content !== "answered") connection.send(node("iq", { from: server, type: "result", id }, content));
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    connection.send(node("iq", { from: server, type: "error", id }, [node("error", { code: error.code, text: error.message })]));
  }
}
