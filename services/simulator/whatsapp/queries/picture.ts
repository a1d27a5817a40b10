import { userAddress } from "../wire/jid.ts";
import { child, node, StanzaError } from "../wire/stanza.ts";
import type { Query, QueryAnswer } from "./query.ts";
import { loggedIn } from "./query.ts";

/** Answers with the URL of a user's picture. */
export function picture(query: Query): QueryAnswer {
  loggedIn(query);
  const { simulation, iq } = query;
  const address = userAddress(iq.attrs["target"]);
  const url = (address && simulation.phones.at(address))?.picture;
  if (url === undefined) throw new StanzaError("404", "item-not-found");
  const size = child(iq, "picture")?.attrs["type"] ?? "preview";
  return [node("picture", { url: `${url}?size=${size}`, id: "1", type: size })];
}
