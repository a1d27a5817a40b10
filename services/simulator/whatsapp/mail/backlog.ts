import type { Simulation } from "../simulation.ts";
import { shareHistory } from "../messages/history.ts";
import type { Connection, Login } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { child, node, server } from "../wire/stanza.ts";

/** The stanzas of a backlog that WhatsApp sends without a request. */
const unrequested = 5;
/** The most that one request may ask for. */
const maxRequested = 1_000;

/** Announces a client's backlog and sends its first stanzas. The client requests the others in batches. */
export async function announceBacklog(simulation: Simulation, connection: Connection, login: Login): Promise<void> {
  const length = login.device.mailbox.open(connection);
  connection.backlog = length;
  if (length > 0) connection.send(node("ib", { from: server }, [node("offline_preview", { count: String(length) })]));
  await sendBacklog(simulation, connection, login, unrequested);
}

/** A client requests the next batch of its backlog. Telemetry, in stanzas of the same tag, needs no answer. */
export async function onInfo(simulation: Simulation, connection: Connection, stanza: BinaryNode): Promise<void> {
  const count = Number(child(stanza, "offline_batch")?.attrs["count"]);
  if (!connection.login || !(count > 0)) return;
  await sendBacklog(simulation, connection, connection.login, Math.min(Math.floor(count), maxRequested));
}

/** Sends a batch. After the last one it notifies the client that the backlog is complete. */
async function sendBacklog(simulation: Simulation, connection: Connection, login: Login, count: number): Promise<void> {
  if (!(await login.device.mailbox.send(connection, count))) return;
  simulation.stats.redelivered += connection.backlog;
  connection.send(node("ib", { from: server }, [node("offline", { count: String(connection.backlog) })]));
  await shareHistory(simulation, login);
}
