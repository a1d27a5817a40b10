import type { PresenceRequest } from "../../../lib/contracts/shard/chats.ts";
import { ask } from "./line.ts";
import type { Line } from "./line.ts";

/** Shows the business as available, or as typing in a chat. Phones show "typing" for some 25 s at most. */
export async function showPresence({ socket }: Line, request: PresenceRequest): Promise<void> {
  if (!("chat" in request)) return ask(socket.sendPresenceUpdate(request.presence));
  // WhatsApp's word for it.
  const state = request.presence === "typing" ? "composing" : request.presence;
  await ask(socket.sendPresenceUpdate(state, request.chat));
}
