import { stanzaKey } from "../mail/mailbox.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import { statusJid } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";

/**
 * Removes an acknowledged stanza from the companion's mailbox, also if the companion could not process it. WhatsApp
 * keeps a status that is acknowledged with an error, and withholds the stanzas behind it.
 */
export function onAck({ stats, pairing }: Simulation, connection: Connection, ack: BinaryNode): void {
  const { id, class: tag, type, error, participant, to } = ack.attrs;
  const { login } = connection;
  if (!login) return pairing.acknowledged(connection, ack);
  if (!id || !tag) return;
  const key = stanzaKey(tag, { id, from: to, type, participant });
  // 500 follows a retry receipt for the same message. The mailbox holds the answer to that receipt by now.
  if (tag === "message" && error === "500" && login.device.mailbox.isRetry(key)) return;
  if (to === statusJid && error !== undefined) return login.device.mailbox.refuse(key);
  if (login.device.mailbox.acknowledge(key)) stats.stanzas_acknowledged += 1;
}
