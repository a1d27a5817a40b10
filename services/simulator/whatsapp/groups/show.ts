import { messageOf } from "../../../../lib/core/errors.ts";
import { contentOf, unpad } from "../messages/content.ts";
import { ignore, isUndeclared, requestRetry } from "../messages/show.ts";
import type { ShowResult } from "../messages/show.ts";
import type { Phone } from "../phones/phone.ts";
import { deviceAddress } from "../phones/signal.ts";
import type { Simulation } from "../simulation.ts";
import type { Login } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import type { Group } from "./group.ts";

export type GroupEnvelope = {
  id: string;
  group: Group;
  /** Ciphertext for this phone alone: the sender's key, or the whole message. */
  direct: BinaryNode | undefined;
  /** Ciphertext for all members: the message under the sender's key. */
  common: BinaryNode | undefined;
  /** The message's stanza. */
  stanza: BinaryNode;
  sender: Login;
  /** Unix ms at which the server received it. */
  at: number;
};

/** Decrypts a companion's group message on a member's phone and shows it. Deduplicates by message id. */
export async function showGroupMessage(
  simulation: Simulation,
  phone: Phone,
  envelope: GroupEnvelope,
): Promise<ShowResult> {
  const { id, group, sender, at } = envelope;
  const { stats, logger } = simulation;
  let content: Uint8Array | undefined;
  try {
    content = await open(phone, envelope);
  } catch (error) {
    phone.screen.undecryptable += 1;
    stats.undecryptable += 1;
    logger.warn(
      { phone: phone.phone, group: group.jid, id, error: messageOf(error) },
      "a phone cannot decrypt a group message",
    );
    requestRetry(phone, { id, sender, ...group.fromMember(phone) });
    return "undecryptable";
  }
  if (content === undefined) return "duplicate";
  const { phone: from } = sender;
  const plaintext = unpad(content);
  const message = plaintext.deviceSentMessage?.message ?? plaintext;
  if (isUndeclared(message, envelope.stanza)) return ignore(simulation, phone, id);
  const shown = phone.screen.show({
    id,
    chat: group.jid,
    sender: from.phone,
    from_me: from === phone,
    push_name: from.name,
    ...contentOf(message),
    timestamp: at,
  });
  if (shown) stats.messages_shown += 1;
  else stats.duplicates_dropped += 1;
  return shown ? "shown" : "duplicate";
}

/** Returns the plaintext; undefined if this phone has shown the message and its key was consumed. */
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
  if (!common) throw new Error("the message has no ciphertext for this phone");
  try {
    return await phone.senderKeys.decrypt(group.jid, address, common.content as Uint8Array);
  } catch (error) {
    if (!phone.screen.has(sender.phone.phone, id)) throw error;
    phone.screen.duplicates += 1;
    return undefined;
  }
}
