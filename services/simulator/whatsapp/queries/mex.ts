import { capOf, timeLockOf } from "../phones/standing.ts";
import { child, node, StanzaError } from "../wire/stanza.ts";
import type { Query, QueryAnswer } from "./query.ts";
import { loggedIn } from "./query.ts";

/** Ids of WhatsApp's stored GraphQL queries. */
const timeLock = "23983697327930364";
const messageCap = "24503548349331633";

/** Answers GraphQL queries for the restrictions of the account. */
export function mex(query: Query): QueryAnswer {
  const { standing } = loggedIn(query).phone;
  const id = child(query.iq, "query")?.attrs["query_id"];
  const answer = (data: object) => [node("result", {}, Buffer.from(JSON.stringify({ data })))];
  if (id === timeLock) return answer({ xwa2_fetch_account_reachout_timelock: timeLockOf(standing) });
  if (id === messageCap) return answer({ xwa2_message_capping_info: capOf(standing) });
  throw new StanzaError("501", "feature-not-implemented");
}
