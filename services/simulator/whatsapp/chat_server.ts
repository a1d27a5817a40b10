import type { Hono } from "hono";
import { messageOf } from "../../../lib/core/errors.ts";
import { isPlainRequest } from "../../../lib/runtime/host.ts";
import { dispatch } from "./handlers/index.ts";
import { handleLogin } from "./login.ts";
import type { Simulation } from "./simulation.ts";
import { Connection } from "./wire/connection.ts";
import type { ConnectionEvents, Socket } from "./wire/connection.ts";

/** WebSocket path of WhatsApp's chat service. */
export const chatPath = "/ws/chat";
/** The largest stanza a client sends is an upload of 812 prekeys, some 50 KB. */
const maxFrameBytes = 16 * 1024 * 1024;
/** Longer than a companion may take to answer its phone (pairing/pairing.ts). */
const requestIdleS = 60;
/** A client that answers no ping of the transport for so long, as a suspended one, is cut off. */
const clientIdleS = 120;
/** With this reason Bun closes such a connection. */
const cutOff = "WebSocket timed out from inactivity";

/** Serves the chat service over WebSocket, and the control API on every other path of the same port. */
export function serveChat(simulation: Simulation, app: Hono, { host, port }: { host: string; port: number }) {
  const events = connectionEvents(simulation);
  return Bun.serve<Socket["data"]>({
    hostname: host,
    port,
    idleTimeout: requestIdleS,
    fetch: (request, server) => {
      if (!isPlainRequest(request)) return new Response("The Host header must be host[:port].", { status: 400 });
      if (new URL(request.url).pathname !== chatPath) return app.fetch(request);
      if (simulation.faults.strikeIf("unavailable", ({ at }) => at === "upgrade"))
        return new Response("unavailable", { status: 503 });
      return server.upgrade(request, { data: {} }) ? undefined : new Response("This is a WebSocket.", { status: 426 });
    },
    websocket: {
      maxPayloadLength: maxFrameBytes,
      idleTimeout: clientIdleS,
      backpressureLimit: 256 * 1024 * 1024,
      open: (socket) => {
        simulation.stats.connections_opened += 1;
        const connection = new Connection(socket, simulation.identity, events);
        socket.data.connection = connection;
        simulation.connections.add(connection);
      },
      message: (socket, data) => socket.data.connection?.receive(typeof data === "string" ? Buffer.from(data) : data),
      close: ({ data: { connection } }, _code, reason) => {
        if (connection === undefined) return;
        if (reason === cutOff) connection.endedBy ??= "server";
        disconnected(simulation, connection);
      },
    },
  });
}

function connectionEvents(simulation: Simulation): ConnectionEvents {
  return {
    onHello: (connection, hello) => handleLogin(simulation, connection, hello),
    onStanza: (connection, stanza) => dispatch(simulation, connection, stanza),
    onError: (connection, error) => {
      simulation.stats.protocol_errors += 1;
      simulation.logger.warn(
        { phone: connection.login?.phone.phone, error: messageOf(error) },
        "closed a connection after a protocol error",
      );
    },
  };
}

function disconnected(simulation: Simulation, connection: Connection): void {
  const { login } = connection;
  const by = connection.endedBy ?? "client";
  if (login) simulation.ledger.record({ event: "ended", phone: login.phone.phone, device: login.device.id, by });
  connection.ended();
  simulation.connections.delete(connection);
  simulation.pairing.forget(connection);
  connection.login?.device.mailbox.close(connection);
}
