import { messageOf } from "../../../../lib/core/errors.ts";
import { contentOf, unpad } from "../messages/content.ts";
import { askAgain } from "../messages/take.ts";
import type { Taken } from "../messages/take.ts";
import type { Phone } from "../phones/phone.ts";
import { deviceAddress } from "../phones/signal.ts";
import type { Simulation } from "../simulation.ts";
import type { Login } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import type { Group } from "./group.ts";

export type GroupEnvelope = {
  id: string;
  group: Group;
  /** For this phone alone: the sender's key, or the whole message. */
  direct: BinaryNode | undefined;
  /** For all: the message under the sender's key. */
  common: BinaryNode | undefined;
  sender: Login;
  /** Unix ms at which the server took it. */
  at: number;
};

/** A member's phone opens what a companion sent to a group, and shows it unless it has already shown it. */
export async function takeInGroup(simulation: Simulation, phone: Phone, envelope: GroupEnvelope): Promise<Taken> {
  const { id, group, sender, at } = envelope;
  const { stats, logger } = simulation;
  let content: Uint8Array | undefined;
  try {
    content = await open(phone, envelope);
  } catch (error) {
    phone.screen.undecryptable += 1;
    stats.undecryptable += 1;
    logger.warn(
      { phone: phone.phone, group: group.jid, id, reason: messageOf(error) },
      "a phone cannot read a message to a group",
    );
    askAgain(phone, { id, sender, ...group.fromMember(phone) });
    return "undecryptable";
  }
  if (content === undefined) return "duplicate";
  const { phone: from } = sender;
  const shown = phone.screen.show({
    id,
    chat: group.jid,
    sender: from.phone,
    from_me: from === phone,
    push_name: from.name,
    ...contentOf(unpad(content)),
    timestamp: at,
  });
  if (shown) stats.messages_shown += 1;
  else stats.duplicates_dropped += 1;
  return shown ? "shown" : "duplicate";
}

/** The message's plaintext; undefined where this phone has shown it and the key for it is used up. */
async function open(
  phone: Phone,
  { id, group, direct, common, sender }: GroupEnvelope,
): Promise<Uint8Array | undefined> {
  const address = deviceAddress(sender.phone.phone, sender.device.id);
  if (direct) {
    const plaintext = await phone.signal.decrypt(
      address,
      direct.attrs["type"] ?? "",
      Buffer.from(direct.content as Uint8Array),
    );
    const distribution = unpad(plaintext).senderKeyDistributionMessage?.axolotlSenderKeyDistributionMessage;
    if (distribution) await phone.senderKeys.learn(group.jid, address, distribution);
    if (!common) return plaintext;
  }
  if (!common) throw new Error("there is nothing in it for this phone");
  try {
    return await phone.senderKeys.decrypt(group.jid, address, common.content as Uint8Array);
  } catch (error) {
    if (!phone.screen.has(sender.phone.phone, id)) throw error;
    phone.screen.duplicates += 1;
    return undefined;
  }
}
