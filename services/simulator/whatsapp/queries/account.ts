import { mediaAuth } from "../media/media_host.ts";
import { child, node, StanzaError } from "../wire/stanza.ts";
import type { Query, QueryAnswer } from "./query.ts";

/** Privacy settings of a new account. */
const privacyCategories = ["last", "online", "profile", "status", "readreceipts", "groupadd", "calladd", "messages"];

/** Answers queries for privacy settings, and for the trust tokens of contacts, of which there are none. */
export function privacy({ iq }: Query): QueryAnswer {
  if (child(iq, "tokens")) return [node("tokens")];
  return [
    node(
      "privacy",
      {},
      privacyCategories.map((name) => node("category", { name, value: "all" })),
    ),
  ];
}

export const blocklist = (): QueryAnswer => [node("list")];

/** Answers the query for A/B test settings: there are none. */
export const props = (): QueryAnswer => [node("props", { protocol: "1", hash: "simulator", refresh: "86400" })];

export function mediaConnection({ simulation: { media } }: Query): QueryAnswer {
  if (media === undefined) throw new StanzaError("503", "service-unavailable");
  return [
    node("media_conn", { auth: mediaAuth, ttl: "3600", auth_ttl: "3600", max_buckets: "12" }, [
      node("host", { hostname: media.address }),
    ]),
  ];
}
