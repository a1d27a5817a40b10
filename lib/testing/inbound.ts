import { insertInbound, placeInbound } from "../db/index.ts";
import type { InboundMessage, InsertedMessage, PlatformScope } from "../db/index.ts";

/** Stores what a shard journaled, as the inbound job does. */
export async function storeInbound(
  scope: PlatformScope,
  messages: readonly InboundMessage[],
): Promise<InsertedMessage[]> {
  return insertInbound(scope, await placeInbound(scope, messages));
}
