import type { PresenceRequest } from "../../../lib/contracts/shard/chats.ts";
import { query } from "./query.ts";
import type { OpenSocket } from "./query.ts";

/** Shows the business as available, or as typing in a chat. Phones show "typing" for some 25 s at most. */
export async function showPresence({ socket }: OpenSocket, request: PresenceRequest): Promise<void> {
  if (!("chat" in request)) return query(socket.sendPresenceUpdate(request.presence));
  // WhatsApp's word for it.
  const state = request.presence === "typing" ? "composing" : request.presence;
  await query(socket.sendPresenceUpdate(state, request.chat));
}
