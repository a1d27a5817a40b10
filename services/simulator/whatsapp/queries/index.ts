import { appState } from "../app_state/query.ts";
import { blocklist, mediaConnection, privacy, props } from "./account.ts";
import { encrypt } from "./encrypt.ts";
import { groups } from "./groups.ts";
import { linking } from "./linking.ts";
import { mex } from "./mex.ts";
import { passive } from "./passive.ts";
import { picture } from "./picture.ts";
import type { QueryHandler } from "./query.ts";
import { usync } from "./usync.ts";

const nothing: QueryHandler = () => undefined;

/** Query handlers by namespace. Other namespaces are answered 501, feature-not-implemented. */
export const queries: Record<string, QueryHandler | undefined> = {
  encrypt,
  usync,
  passive,
  md: linking,
  privacy,
  blocklist,
  abt: props,
  "w:sync:app:state": appState,
  "w:g2": groups,
  "w:m": mediaConnection,
  "w:mex": mex,
  "w:p": nothing,
  "w:stats": nothing,
  "urn:xmpp:whatsapp:dirty": nothing,
  "w:profile:picture": picture,
};
