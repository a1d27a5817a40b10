import { shareHistory } from "../messages/history.ts";
import { child, node, server } from "../wire/stanza.ts";
import type { Query, QueryAnswer } from "./query.ts";
import { loggedIn } from "./query.ts";

/** Activates a client: sends the backlog of its mailbox, then the notification that the backlog is complete. */
export async function passive(query: Query): Promise<QueryAnswer> {
  const { simulation, connection, iq } = query;
  const login = loggedIn(query);
  connection.send(node("iq", { from: server, type: "result", id: iq.attrs["id"] }));
  if (!child(iq, "active")) return "answered";
  const redelivered = await login.device.mailbox.open(connection);
  simulation.stats.redelivered += redelivered;
  connection.send(node("ib", { from: server }, [node("offline", { count: String(redelivered) })]));
  await shareHistory(simulation, login);
  return "answered";
}
