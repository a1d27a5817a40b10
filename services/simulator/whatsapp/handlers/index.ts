import { onInfo } from "../mail/backlog.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { onAck } from "./ack.ts";
import { onMessage } from "./message.ts";
import { onChatState, onPresence } from "./presence.ts";
import { onQuery } from "./query.ts";
import { onReceipt } from "./receipt.ts";

export type StanzaHandler = (
  simulation: Simulation,
  connection: Connection,
  stanza: BinaryNode,
) => void | Promise<void>;

/** Handlers by tag. */
const handlers: Record<string, StanzaHandler> = {
  iq: onQuery,
  message: onMessage,
  receipt: onReceipt,
  ack: onAck,
  presence: onPresence,
  chatstate: onChatState,
  ib: onInfo,
};

export async function dispatch(simulation: Simulation, connection: Connection, stanza: BinaryNode): Promise<void> {
  simulation.stats.stanzas_received += 1;
  if (connection.mute !== "none" && stanza.tag !== "iq") return;
  await handlers[stanza.tag]?.(simulation, connection, stanza);
}
