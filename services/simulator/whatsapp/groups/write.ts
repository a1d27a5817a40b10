import { proto } from "@whiskeysockets/baileys";
import { contentOf, pad } from "../messages/content.ts";
import { editAttribute, encryptFor } from "../messages/write.ts";
import type { Written } from "../messages/write.ts";
import type { Device } from "../phones/device.ts";
import type { Phone } from "../phones/phone.ts";
import { deviceAddress } from "../phones/signal.ts";
import type { KeyBundle } from "../phones/signal.ts";
import type { Simulation } from "../simulation.ts";
import { node } from "../wire/stanza.ts";
import type { Group } from "./group.ts";

/**
 * Sends a phone's message to a group: encrypts it once for all, adds the sender key for each companion that does not
 * have it yet, and shows it on the members' phones. Resolves when the server has stored all of it.
 */
export async function writeToGroup(
  simulation: Simulation,
  from: Phone,
  group: Group,
  content: proto.IMessage,
  id: string,
): Promise<Written> {
  const { store, groups, stats } = simulation;
  const timestamp = Date.now();
  store.write(() =>
    store.db
      .query("INSERT INTO sent (phone, id, recipient, content, at, status) VALUES (?, ?, ?, ?, ?, 'sent')")
      .run(from.phone, id, group.jid, proto.Message.encode(content).finish(), timestamp),
  );
  const members = groups.members(group);
  const shown = { id, chat: group.jid, sender: from.phone, push_name: from.name, ...contentOf(content), timestamp };
  for (const member of members) if (member !== from) member.screen.show({ ...shown, from_me: false });
  const own = deviceAddress(from.phone, 0);
  // ShowResult before the encryption, so that recipients can decrypt from this message on.
  const distribution = await from.senderKeys.distribution(group.jid, own);
  const common = node("enc", { v: "2", type: "skmsg" }, await from.senderKeys.encrypt(group.jid, own, pad(content)));
  const edit = groupEdit(group, from, content);
  const devices = members.flatMap((member) => Array.from(member.devices.values()));
  for (const device of devices) {
    const known = from.senderKeys.give(group.jid, deviceAddress(device.phone, device.id));
    const key = known ? [] : [await encryptFor(from, device, distributionMessage(group, distribution))];
    stats.messages_delivered += 1;
    device.mailbox.put(messageNode(group, from, { id, timestamp, edit }, [...key, common]));
  }
  await store.committed();
  return { id, to: group.jid, timestamp, companions: devices.length };
}

type Resend = {
  device: Device;
  id: string;
  timestamp: number;
  content: proto.IMessage;
  retry: number;
  bundle?: KeyBundle;
};

/** Resends a group message to a companion that could not decrypt it: for this companion alone, with the sender key. */
export async function resendFromGroup(
  from: Phone,
  group: Group,
  { device, id, timestamp, content, retry, bundle }: Resend,
): Promise<void> {
  const distribution = await from.senderKeys.distribution(group.jid, deviceAddress(from.phone, 0));
  const whole = { ...content, ...distributionMessage(group, distribution) };
  const enc = await encryptFor(from, device, whole, { retry, bundle });
  device.mailbox.put(messageNode(group, from, { id, timestamp }, [enc]), { retry: true });
}

const distributionMessage = (group: Group, distribution: Buffer): proto.IMessage => ({
  senderKeyDistributionMessage: { groupId: group.jid, axolotlSenderKeyDistributionMessage: distribution },
});

function messageNode(
  group: Group,
  from: Phone,
  { id, timestamp, edit }: { id: string; timestamp: number; edit?: string | undefined },
  encs: ReturnType<typeof node>[],
) {
  const t = String(Math.floor(timestamp / 1000));
  return node("message", { ...group.fromMember(from), id, t, type: "text", notify: from.name, edit }, encs);
}

/** A modified client of a member who is no administrator cannot mark its deletion as an administrator's. */
function groupEdit(group: Group, from: Phone, content: proto.IMessage): string | undefined {
  const edit = editAttribute(content);
  return edit === "8" && !group.isAdministrator(from) ? "7" : edit;
}
