import type { proto } from "@whiskeysockets/baileys";
import { parseRegistration } from "./pairing/registration.ts";
import type { ClientHello } from "./noise/handshake.ts";
import type { Simulation } from "./simulation.ts";
import { strikeAtLogin } from "./faults/inject_fault.ts";
import type { Connection, Login } from "./wire/connection.ts";
import { lidJid } from "./wire/jid.ts";
import { node, nowS, server } from "./wire/stanza.ts";

/** After the handshake: offers pairing to a client without an account, or accepts or refuses a login. */
export function handleLogin(simulation: Simulation, connection: Connection, hello: ClientHello): void {
  const { payload } = hello;
  const outdated = simulation.faults.strikeIf(
    "outdated",
    ({ minimum }) => isEarlier(versionOf(payload.userAgent?.appVersion), minimum),
    String(payload.username ?? ""),
  );
  if (outdated) return refuse(connection, { reason: "405" });
  if (payload.devicePairingData) {
    simulation.stats.pairings_offered += 1;
    simulation.pairing.offer(connection, parseRegistration(hello, payload.devicePairingData));
    return;
  }
  const phone = simulation.phones.get(String(payload.username ?? ""));
  const device = phone?.devices.get(payload.device ?? 0);
  if (!phone || !device?.state.noiseKey.equals(hello.staticKey)) return refuse(connection, { reason: "401" });
  const failure = simulation.faults.strike("login_failure", phone.phone);
  if (failure) {
    const { reason, expire, code } = failure;
    return refuse(connection, {
      reason,
      expire: expire === undefined ? undefined : String(expire),
      code: code === undefined ? undefined : String(code),
    });
  }
  if (simulation.faults.strikeIf("unavailable", ({ at }) => at === "login", phone.phone))
    return refuse(connection, { reason: "503" });
  replaceEarlier(simulation, { phone, device });
  connection.login = { phone, device };
  simulation.stats.logins += 1;
  simulation.ledger.record({ event: "login", phone: phone.phone, device: device.id });
  connection.send(node("success", { t: nowS(), lid: lidJid(phone.lid, device.id), creation: nowS(), location: "sim" }));
  connection.send(
    node("ib", { from: server }, [node("edge_routing", {}, [node("routing_info", {}, Buffer.from("prosaas-sim"))])]),
  );
  strikeAtLogin(simulation, connection);
}

function refuse(connection: Connection, attributes: Record<string, string | undefined>): void {
  connection.send(node("failure", { ...attributes, location: "sim" }));
  connection.close();
}

const versionOf = (version: proto.ClientPayload.UserAgent.IAppVersion | null | undefined): number[] => [
  version?.primary ?? 0,
  version?.secondary ?? 0,
  version?.tertiary ?? 0,
];

function isEarlier(version: number[], minimum: string): boolean {
  const least = minimum.split(".").map(Number);
  const at = version.findIndex((part, i) => part !== least[i]);
  return at >= 0 && version[at]! < least[at]!;
}

/** Ends a device's earlier connection, because a device has only one. */
function replaceEarlier({ connections, stats }: Simulation, { device }: Login): void {
  for (const earlier of connections) {
    if (earlier.login?.device !== device || earlier.closed) continue;
    stats.logins_replaced += 1;
    // The client left it for the new one.
    earlier.endedBy ??= "client";
    earlier.endWith({}, node("conflict", { type: "replaced" }));
  }
}
