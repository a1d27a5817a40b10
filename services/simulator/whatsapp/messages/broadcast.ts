import { proto } from "@whiskeysockets/baileys";
import { writerNames } from "../phones/naming.ts";
import type { Phone } from "../phones/phone.ts";
import { deviceAddress } from "../phones/signal.ts";
import type { Device } from "../phones/device.ts";
import type { Simulation } from "../simulation.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { node } from "../wire/stanza.ts";
import { statusJid } from "../wire/jid.ts";
import { pad } from "./content.ts";
import type { Written } from "./write.ts";
import { encryptFor, garbageNode } from "./write.ts";

/** `garbage`: the companions get undecryptable bytes, and no answer to a retry receipt. */
export type Broadcast = {
  jid: string;
  receivers: Phone[];
  content: proto.IMessage;
  id: string;
  garbage?: boolean;
  stanza?: "message" | "status" | undefined;
};

/**
 * Posts a phone's status, or sends its message to a broadcast list or a channel. A status is encrypted under the sender
 * key of `status@broadcast`, a list message for each device separately, and a channel message not at all.
 */
export async function broadcast(
  simulation: Simulation,
  from: Phone,
  { jid, receivers, content, id, garbage = false, stanza = "message" }: Broadcast,
): Promise<Written> {
  const timestamp = Date.now();
  const isChannel = jid.endsWith("@newsletter");
  const attributes = {
    from: jid,
    id,
    t: String(Math.floor(timestamp / 1000)),
    type: "text",
    ...(isChannel ? { server_id: "100" } : { ...writerNames(from), notify: from.name }),
  };
  const contentFor = jid === statusJid ? await statusContent(from, jid, content) : listContent(from, content);
  const devices = receivers.flatMap((receiver) => [...receiver.devices.values()]);
  for (const device of devices) {
    const children = garbage
      ? [garbageNode()]
      : isChannel
        ? [node("plaintext", {}, Buffer.from(proto.Message.encode(content).finish()))]
        : await contentFor(device);
    simulation.stats.messages_delivered += 1;
    device.mailbox.put(node(stanza, attributes, children));
  }
  await simulation.store.committed();
  return { id, to: jid, timestamp, companions: devices.length };
}

type ContentFor = (device: Device) => Promise<BinaryNode[]>;

async function statusContent(from: Phone, jid: string, content: proto.IMessage): Promise<ContentFor> {
  const own = deviceAddress(from.phone, 0);
  const distribution = await from.senderKeys.distribution(jid, own);
  const common = node("enc", { v: "2", type: "skmsg" }, await from.senderKeys.encrypt(jid, own, pad(content)));
  const key = { senderKeyDistributionMessage: { groupId: jid, axolotlSenderKeyDistributionMessage: distribution } };
  return async (device) => {
    const known = from.senderKeys.give(jid, deviceAddress(device.phone, device.id));
    return known ? [common] : [await encryptFor(from, device, key), common];
  };
}

function listContent(from: Phone, content: proto.IMessage): ContentFor {
  return async (device) => [await encryptFor(from, device, content)];
}
