import type { WASocket } from "@whiskeysockets/baileys";
import type { ConnectionControl } from "../session/connection_options.ts";
import type { Placeholder, Placeholders } from "./placeholders.ts";

type Options = { placeholders: Placeholders; control: Pick<ConnectionControl, "isOver"> };

/** Requests the content of placeholders from the phone, one by one, while the connection lasts. */
export async function requestContent(
  socket: Pick<WASocket, "requestPlaceholderResend">,
  wanted: readonly Placeholder[],
  { placeholders, control }: Options,
): Promise<void> {
  for (const { id, key, at, push_name: pushName } of wanted) {
    if (control.isOver()) return;
    // The content may have come in between.
    if (!placeholders.isDue(id)) continue;
    await socket.requestPlaceholderResend(key, { key, messageTimestamp: at, pushName });
    if (!control.isOver()) placeholders.requested(id);
  }
}
