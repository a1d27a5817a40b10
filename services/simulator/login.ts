import { parseRegistration } from "./pairing/registration.ts";
import type { ClientHello } from "./noise/handshake.ts";
import type { Simulation } from "./simulation.ts";
import { strikeAtLogin } from "./strike.ts";
import type { Connection, Login } from "./wire/connection.ts";
import { lidJid } from "./wire/jid.ts";
import { node, nowS, server } from "./wire/stanza.ts";

/** After the handshake: a client without an account is offered pairing, one with an account is let in or sent away. */
export function greet(simulation: Simulation, connection: Connection, hello: ClientHello): void {
  const { payload } = hello;
  if (payload.devicePairingData) {
    simulation.stats.pairings_offered += 1;
    simulation.pairing.offer(connection, parseRegistration(hello, payload.devicePairingData));
    return;
  }
  const phone = simulation.phones.get(String(payload.username ?? ""));
  const device = phone?.devices.get(payload.device ?? 0);
  if (!phone || !device?.state.noiseKey.equals(hello.staticKey)) return refuse(connection, "401");
  const failure = simulation.faults.strike("login_failure", phone.phone);
  if (failure) return refuse(connection, failure.reason);
  if (simulation.faults.strikeIf("unavailable", ({ at }) => at === "login", phone.phone)) return refuse(connection, "503");
  replaceEarlier(simulation, { phone, device });
  connection.login = { phone, device };
  simulation.stats.logins += 1;
  connection.send(node("success", { t: nowS(), lid: lidJid(phone.lid, device.id), creation: nowS(), location: "sim" }));
  connection.send(node("ib", { from: server }, [node("edge_routing", {}, [node("routing_info", {}, Buffer.from("prosaas-sim"))])]));
  strikeAtLogin(simulation, connection);
}

function refuse(connection: Connection, reason: string): void {
  connection.send(node("failure", { reason, location: "sim" }));
  connection.close();
}

/** A device has one connection: the last one to log in. */
function replaceEarlier({ connections }: Simulation, { device }: Login): void {
  for (const earlier of connections) {
    if (earlier.login?.device === device) earlier.endWith({}, node("conflict", { type: "replaced" }));
  }
}
