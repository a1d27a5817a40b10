import { loggedIn } from "../queries/query.ts";
import type { Query, QueryAnswer } from "../queries/query.ts";
import { children, child, node } from "../wire/stanza.ts";
import { appStateOf } from "./app_state.ts";

/** Answers with the patches after the client's version of each collection. There are no snapshots. */
export function appState(query: Query): QueryAnswer {
  const { collections } = appStateOf(loggedIn(query).phone);
  const answers = children(child(query.iq, "sync"), "collection").map(({ attrs: { name = "", version = "0" } }) => {
    const later = (collections[name]?.patches ?? []).slice(Number(version));
    const patches = later.map((patch) => node("patch", {}, Buffer.from(patch, "base64")));
    return node(
      "collection",
      { name, version, type: "result" },
      patches.length > 0 ? [node("patches", {}, patches)] : [],
    );
  });
  return [node("sync", {}, answers)];
}
