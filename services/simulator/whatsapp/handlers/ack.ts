import { stanzaKey } from "../mail/mailbox.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";

/** Removes an acknowledged stanza from the companion's mailbox, also if the companion could not process it. */
export function onAck({ stats, pairing }: Simulation, connection: Connection, ack: BinaryNode): void {
  const { id, class: tag, type, error, participant } = ack.attrs;
  const { login } = connection;
  if (!login) return pairing.acknowledged(connection, ack);
  if (!id || !tag) return;
  const key = stanzaKey(tag, id, type, participant);
  // 500 follows a retry receipt for the same message. The mailbox holds the answer to that receipt by now.
  if (tag === "message" && error === "500" && login.device.mailbox.isRetry(key)) return;
  if (login.device.mailbox.acknowledge(key)) stats.stanzas_acknowledged += 1;
}
