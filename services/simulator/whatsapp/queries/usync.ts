import { usyncNames } from "../phones/naming.ts";
import type { Phone } from "../phones/phone.ts";
import { lidJid, phoneJid, userAddress } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { bytes, child, children, node, StanzaError } from "../wire/stanza.ts";
import type { Query, QueryAnswer } from "./query.ts";
import { loggedIn } from "./query.ts";

/** Answers which numbers are on WhatsApp, with their devices and LIDs. */
export function usync(query: Query): QueryAnswer {
  loggedIn(query);
  const request = child(query.iq, "usync");
  const list = child(request, "list");
  const protocols = child(request, "query")?.content;
  if (!list || !Array.isArray(protocols)) throw new StanzaError("400", "bad-request");
  const names = protocols.map((protocol) => protocol.tag);
  const users = children(list, "user").flatMap((user) => answerFor(query, user, names));
  return [node("usync", { ...request?.attrs }, [node("list", {}, users)])];
}

function answerFor({ simulation, connection }: Query, user: BinaryNode, protocols: string[]): BinaryNode[] {
  const requested = user.attrs["jid"];
  const number = bytes(user, "contact")?.toString().replace(/\D/g, "");
  const asked = requested ?? (number ? phoneJid(number) : undefined);
  const address = userAddress(asked);
  const spelled = address && !address.byLid ? simulation.phones.spelled(address.user) : undefined;
  const phone = spelled ?? (address && simulation.phones.at(address));
  // The JID of the account, however its number was spelled.
  const jid = spelled ? phoneJid(spelled.phone) : asked;
  const denied = phone && simulation.faults.strike("not_on_whatsapp", phone.phone) !== undefined;
  const hidden = phone && simulation.faults.strike("no_lid", phone.phone) ? ["lid"] : [];
  const asker = connection.login?.phone.phone ?? "";
  if (denied) {
    simulation.stats.accounts_denied += 1;
    simulation.ledger.record({ event: "denied", phone: asker, number: phone.phone });
  }
  if (hidden.length > 0 && protocols.includes("lid"))
    simulation.ledger.record({ event: "lid_hidden", phone: asker, number: phone!.phone });
  if (jid === undefined) return [];
  if (!phone || denied)
    return [node("user", { jid }, protocols.includes("contact") ? [node("contact", { type: "out" })] : [])];
  return [
    node(
      "user",
      requested === undefined ? usyncNames(phone) : { jid },
      protocols
        .filter((protocol) => !hidden.includes(protocol))
        .flatMap((protocol) => protocolAnswer(protocol, phone, bytes(user, "contact"))),
    ),
  ];
}

function protocolAnswer(protocol: string, phone: Phone, asked: Buffer | undefined): BinaryNode[] {
  switch (protocol) {
    case "contact":
      return [node("contact", { type: "in" }, asked)];
    case "lid":
      return [node("lid", { val: lidJid(phone.lid) })];
    case "devices":
      return [node("devices", {}, [node("device-list", {}, deviceNodes(phone))])];
    case "status":
      return [node("status", { t: "0" }, Buffer.from("Hey there! I am using WhatsApp."))];
    case "disappearing_mode":
      return [node("disappearing_mode", { duration: "0", t: "0" })];
    default:
      return [];
  }
}

/** Includes the phone itself as device 0. Without it a client caches nothing, and queries again for every message. */
function deviceNodes(phone: Phone): BinaryNode[] {
  const companions = [...phone.devices.keys()].map((id) => node("device", { id: String(id), "key-index": String(id) }));
  return [node("device", { id: "0" }), ...companions];
}
