import { insertInbound, assignInboundIds } from "../db/index.ts";
import type { InboundMessage, InsertedMessage, PlatformScope } from "../db/index.ts";

/** Stores inbound messages as the inbound job does with a shard's journal. */
export async function storeInbound(
  scope: PlatformScope,
  messages: readonly InboundMessage[],
): Promise<InsertedMessage[]> {
  return insertInbound(scope, (await assignInboundIds(scope, messages)).fresh);
}
