import type { Simulation } from "../simulation.ts";
import type { Connection, Login } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { StanzaError } from "../wire/stanza.ts";

export type Query = { simulation: Simulation; connection: Connection; iq: BinaryNode };

/** Content of the result; "answered" if the handler sent the answer itself. A StanzaError becomes an error answer. */
export type QueryAnswer = BinaryNode[] | undefined | "answered";
export type QueryHandler = (query: Query) => QueryAnswer | Promise<QueryAnswer>;

export function loggedIn({ connection }: Query): Login {
  if (!connection.login) throw new StanzaError("401", "not-authorized");
  return connection.login;
}
