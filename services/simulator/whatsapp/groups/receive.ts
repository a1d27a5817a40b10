import { tickInGroup } from "../messages/ticks.ts";
import type { Phone } from "../phones/phone.ts";
import type { Simulation } from "../simulation.ts";
import type { Login } from "../wire/connection.ts";
import { userAddress } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { child, children, node } from "../wire/stanza.ts";
import type { Group } from "./group.ts";
import { showGroupMessage } from "./show.ts";

/** Distributes a companion's message to a group: members' phones decrypt it, their companions get it by mailbox. */
export async function receiveForGroup(
  simulation: Simulation,
  login: Login,
  message: BinaryNode,
  group: Group,
  at: number,
): Promise<void> {
  const id = message.attrs["id"]!;
  const { alone, direct, common } = ciphertexts(simulation, message);
  const readers: Phone[] = [];
  for (const member of simulation.groups.members(group)) {
    for (const device of member.devices.values()) {
      const own = direct.get(`${member.phone} ${device.id}`);
      if (device === login.device || (alone && !own)) continue;
      const encs = [own, alone ? undefined : common].filter((enc) => enc !== undefined);
      const identity = child(message, "device-identity");
      const attributes = {
        ...group.fromMember(login.phone, login.device.id),
        id,
        t: String(Math.floor(at / 1000)),
        type: message.attrs["type"] ?? "text",
        notify: login.phone.name,
      };
      device.mailbox.put(node("message", attributes, identity ? [...encs, identity] : encs), { retry: alone });
    }
    const own = direct.get(`${member.phone} 0`);
    if (alone && !own) continue;
    const taken = await showGroupMessage(simulation, member, {
      id,
      group,
      direct: own,
      common: alone ? undefined : common,
      stanza: message,
      sender: login,
      at,
    });
    if (member !== login.phone && taken !== "undecryptable" && taken !== "ignored") readers.push(member);
  }
  tickInGroup(simulation, readers, login, { id, group });
}

/** Sorts a message's ciphertexts by device. `alone` marks a resend for a single device that could not decrypt it. */
function ciphertexts({ phones }: Simulation, message: BinaryNode) {
  const keyOf = (jid: string | undefined) => {
    const address = userAddress(jid);
    const phone = address && phones.at(address);
    return phone ? `${phone.phone} ${address.device}` : "";
  };
  const single = child(message, "enc");
  const alone = message.attrs["participant"] !== undefined;
  const direct = new Map<string, BinaryNode>();
  if (alone && single) direct.set(keyOf(message.attrs["participant"]), single);
  for (const to of children(child(message, "participants"), "to")) {
    const enc = child(to, "enc");
    if (enc) direct.set(keyOf(to.attrs["jid"]), enc);
  }
  return { alone, direct, common: single };
}
