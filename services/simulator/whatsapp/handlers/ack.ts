import { letterKey } from "../mail/mailbox.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";

/** A companion has taken a stanza off our hands, also when it could make nothing of it. */
export function onAck({ stats, pairing }: Simulation, connection: Connection, ack: BinaryNode): void {
  const { id, class: tag, type, error, participant } = ack.attrs;
  const { login } = connection;
  if (!login) return pairing.acknowledged(connection, ack);
  if (!id || !tag) return;
  const key = letterKey(tag, id, type, participant);
  // 500 follows a retry receipt for the same message: what is in the mailbox by now is the answer to that.
  if (tag === "message" && error === "500" && login.device.mailbox.isRetry(key)) return;
  if (login.device.mailbox.acknowledge(key)) stats.letters_acknowledged += 1;
}
