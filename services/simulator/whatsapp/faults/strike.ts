import type { Fault } from "./faults.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import { node } from "../wire/stanza.ts";

type ConnectionFault = Extract<
  Fault,
  { kind: "drop" | "replaced" | "logged_out" | "restart" | "unavailable" | "silence" }
>;

/** Whether a fault is about a connection as such, and so strikes those that are open at once. */
export function concernsConnection(fault: Fault): fault is ConnectionFault {
  switch (fault.kind) {
    case "drop":
    case "replaced":
    case "logged_out":
    case "restart":
    case "silence":
      return true;
    case "unavailable":
      return fault.at === "stream";
    default:
      return false;
  }
}

/** Makes a fault happen on one connection that is logged in. */
function strike(simulation: Simulation, connection: Connection, fault: ConnectionFault): void {
  switch (fault.kind) {
    case "drop":
      if (fault.after_frames === undefined) connection.drop();
      else connection.dropAt = connection.received + fault.after_frames;
      return;
    case "replaced":
      return connection.endWith({}, node("conflict", { type: "replaced" }));
    case "logged_out":
      if (connection.login) simulation.phones.unlink(connection.login.device);
      return connection.endWith({ code: "401" }, node("conflict", { type: "device_removed" }));
    case "restart":
      return connection.endWith({ code: "515" });
    case "unavailable":
      return connection.endWith({ code: "503" });
    case "silence":
      connection.mute = fault.answer_pings ? "messages" : "all";
      simulation.logger.debug({ phone: connection.login?.phone.phone }, "connection silenced");
  }
}

/**
 * Takes a new fault into force and gives the number of connections it struck at once. One without `times` that ends
 * connections is spent by that; with `times` it goes on to strike logins; silence lasts either way.
 */
export function raise(simulation: Simulation, fault: Fault): number {
  if (!concernsConnection(fault)) {
    simulation.faults.add(fault);
    return 0;
  }
  let struck = 0;
  for (const connection of simulation.connections) {
    if (!connection.login || (fault.phone !== undefined && connection.login.phone.phone !== fault.phone)) continue;
    if (fault.times !== undefined && struck >= fault.times) break;
    strike(simulation, connection, fault);
    struck += 1;
  }
  const left = fault.times === undefined ? undefined : fault.times - struck;
  if (fault.kind === "silence" && left === undefined) simulation.faults.add(fault);
  else if (left !== undefined && left > 0) simulation.faults.add({ ...fault, times: left });
  return struck;
}

const atLogin = ["silence", "drop", "replaced", "logged_out", "restart", "unavailable"] as const;

/** Strikes a connection that has just logged in with what is left of such faults. */
export function strikeAtLogin(simulation: Simulation, connection: Connection): void {
  for (const kind of atLogin) {
    const fault = simulation.faults.strikeIf(kind, concernsConnection, connection.login?.phone.phone);
    if (fault && concernsConnection(fault)) strike(simulation, connection, fault);
    if (connection.closed) return;
  }
}

/**
 * Ends all faults. A connection that is silent stays so until it ends: it is an ordered stream, and one that spoke
 * again would have lost what it swallowed from the middle.
 */
export function clearFaults(simulation: Simulation): void {
  simulation.faults.clear();
  for (const connection of simulation.connections) connection.dropAt = undefined;
}
