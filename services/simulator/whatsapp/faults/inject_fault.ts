import type { Fault, FaultKind } from "./faults.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import { node } from "../wire/stanza.ts";

type ConnectionFault = Extract<
  Fault,
  { kind: "drop" | "replaced" | "logged_out" | "restart" | "stream_error" | "unavailable" | "silence" }
>;

/** True if a fault affects connections as a whole, and so strikes open ones at once. */
export function concernsConnection(fault: Fault): fault is ConnectionFault {
  switch (fault.kind) {
    case "drop":
    case "replaced":
    case "logged_out":
    case "restart":
    case "stream_error":
    case "silence":
      return true;
    case "unavailable":
      return fault.at === "stream";
    default:
      return false;
  }
}

function errorChild({ child, conflict }: { child?: string | undefined; conflict?: string | undefined }) {
  if (child !== undefined) return node(child);
  return conflict === undefined ? undefined : node("conflict", { type: conflict });
}

/** Applies a fault to one connection that is logged in. */
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
    case "stream_error":
      return connection.endWith(fault.code === undefined ? {} : { code: fault.code }, errorChild(fault));
    case "unavailable":
      return connection.endWith({ code: "503" });
    case "silence":
      connection.mute = fault.answer_pings ? "messages" : "all";
      connection.endedBy ??= "server";
      simulation.logger.debug({ phone: connection.login?.phone.phone }, "connection silenced");
  }
}

/**
 * Activates a fault and returns the number of connections that it struck at once. A connection fault without `times` is
 * spent after that; one with `times` strikes later logins until it is spent. Silence without `times` lasts until it is
 * deleted.
 */
export function injectFault(simulation: Simulation, fault: Fault): number {
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

const atLogin = ["silence", "drop", "replaced", "logged_out", "restart", "stream_error", "unavailable"] as const;

/** Applies the remaining connection faults to a connection that has just logged in. */
export function strikeAtLogin(simulation: Simulation, connection: Connection): void {
  for (const kind of atLogin) {
    const fault = simulation.faults.strikeIf(kind, concernsConnection, connection.login?.phone.phone);
    if (fault && concernsConnection(fault)) strike(simulation, connection, fault);
    if (connection.closed) return;
  }
}

/**
 * Deletes all faults, or those of a kind. A silent connection stays silent until it ends, because it is an ordered
 * stream: if it resumed, the stanzas that it dropped would be missing in the middle.
 */
export function clearFaults(simulation: Simulation, kind?: FaultKind): void {
  simulation.faults.clear(kind);
  if (kind !== undefined && kind !== "drop") return;
  for (const connection of simulation.connections) connection.dropAt = undefined;
}
