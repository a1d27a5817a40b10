import type { PresenceRequest } from "../../../lib/contracts/shard/chats.ts";
import { query } from "./query.ts";
import type { OpenSocket } from "./query.ts";

/** Shows the business as available, or as typing in a chat. Phones show "typing" for at most 25 s. */
export async function showPresence({ socket, accounts }: OpenSocket, request: PresenceRequest): Promise<void> {
  if (!("chat" in request)) return query(socket.sendPresenceUpdate(request.presence));
  // WhatsApp's term.
  const state = request.presence === "typing" ? "composing" : request.presence;
  await query(socket.sendPresenceUpdate(state, accounts.chatOf(request.chat)));
}
