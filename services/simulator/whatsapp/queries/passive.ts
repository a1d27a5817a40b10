import { announceBacklog } from "../mail/backlog.ts";
import { child, node, server } from "../wire/stanza.ts";
import type { Query, QueryAnswer } from "./query.ts";
import { loggedIn } from "./query.ts";

/** Activates a client, which then gets the backlog of its mailbox. */
export async function passive(query: Query): Promise<QueryAnswer> {
  const { simulation, connection, iq } = query;
  const login = loggedIn(query);
  connection.send(node("iq", { from: server, type: "result", id: iq.attrs["id"] }));
  if (child(iq, "active")) await announceBacklog(simulation, connection, login);
  return "answered";
}
