import { child, node, server, StanzaError } from "../wire/stanza.ts";
import type { Query, QueryAnswer } from "./query.ts";
import { loggedIn } from "./query.ts";

/** Answers multi-device queries: linking by code or passkey, and a companion's logout. */
export function linking(query: Query): QueryAnswer {
  const { simulation, connection, iq } = query;
  const request = child(iq, "link_code_companion_reg");
  if (request?.attrs["stage"] === "companion_hello") {
    const phone = /^(\d+)@/.exec(request.attrs["jid"] ?? "")?.[1];
    const refusal = simulation.faults.strike("code_refuse", phone);
    if (refusal) throw new StanzaError(String(refusal.code), refusal.code === 429 ? "rate-overlimit" : "bad-request");
    simulation.pairing.hello(connection, iq);
  } else if (request?.attrs["stage"] === "companion_finish") simulation.pairing.finish(connection, iq);
  else if (child(iq, "remove-companion-device")) {
    simulation.phones.unlink(loggedIn(query).device);
    connection.send(node("iq", { from: server, type: "result", id: iq.attrs["id"] }));
    connection.endWith({ code: "401" }, node("conflict", { type: "device_removed" }));
  } else {
    const content = simulation.pairing.passkeys.answer(connection, iq);
    if (content === "not_ours") throw new StanzaError("400", "bad-request");
    return content;
  }
  return "answered";
}
