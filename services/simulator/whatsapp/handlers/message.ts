import { createHash } from "node:crypto";
import { receiveForGroup } from "../groups/receive.ts";
import { tick } from "../messages/ticks.ts";
import { showMessage } from "../messages/show.ts";
import { hasSaltedToken } from "../phones/contact_salt.ts";
import { hasPrivacyToken } from "../phones/privacy_tokens.ts";
import type { Phone } from "../phones/phone.ts";
import type { Device } from "../phones/device.ts";
import { ownJid, senderNames } from "../phones/naming.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection, Login } from "../wire/connection.ts";
import { isGroupJid, phoneJid, userAddress } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { child, children, node } from "../wire/stanza.ts";

/**
 * Delivers a companion's message. Each device that it is encrypted for gets its own ciphertext: phones decrypt it here,
 * companions get it by mailbox. Acknowledges the message once all of it is committed.
 */
export async function onMessage(simulation: Simulation, connection: Connection, message: BinaryNode): Promise<void> {
  const { login } = connection;
  const { id, to } = message.attrs;
  if (!login || !id || !to) return;
  const receiver = userAddress(to);
  const phone = receiver && simulation.phones.at(receiver);
  const { faults } = simulation;
  if (faults.strike("message_lost", login.phone.phone)) return connection.drop();
  const refusal = faults.strike("ack_refuse", login.phone.phone, phone?.phone);
  if (refusal) return refuse(simulation, connection, { id, to, code: String(refusal.code), backoff: refusal.backoff });
  const limited = simulation.limits.refuse(login.phone.phone, phone?.phone ?? to);
  if (limited) return refuse(simulation, connection, { id, to, code: limited });
  if (isMalformed(message, phone === login.phone)) return refuse(simulation, connection, { id, to, code: "479" });
  const group = isGroupJid(to) ? simulation.groups.get(to) : undefined;
  if (group) {
    // A non-member gets the same answer whether or not the group exists.
    if (!group.has(login.phone)) return refuse(simulation, connection, { id, to, code: "403" });
    const isStale = message.attrs["addressing_mode"] !== group.state.addressing;
    if (isStale) return refuse(simulation, connection, { id, to, code: "421" });
    const at = Date.now();
    await receiveForGroup(simulation, login, message, group, at);
    return accept(simulation, connection, { id, to, at });
  }
  // The number has no account, or the JID is not a user's (broadcasts from clients are not supported).
  if (!phone || faults.strike("not_on_whatsapp", phone.phone))
    return refuse(simulation, connection, { id, to, code: "404" });

  const hasToken = hasPrivacyToken(message, login.phone, phone) || hasSaltedToken(message, login.phone, phone);
  // A resend needs no token: WhatsApp accepted the message itself.
  const isStranger = phone !== login.phone && !hasToken && !isResend(message);
  if (isStranger && faults.strike("token_required", login.phone.phone))
    return refuse(simulation, connection, { id, to, code: "463" });

  const at = Date.now();
  const peer = message.attrs["category"] === "peer";
  let received = false;
  for (const { jid, enc } of ciphertexts(message, to)) {
    const address = userAddress(jid);
    const target = address && simulation.phones.at(address);
    if (!address || !target) continue;
    if (address.device > 0) {
      const device = target.devices.get(address.device);
      if (device && device !== login.device) relay(login, message, { phone: target.phone, device, enc, at });
      continue;
    }
    const taken = await showMessage(simulation, target, { id, to, enc, stanza: message, sender: login, at, peer });
    if (target !== login.phone && taken !== "undecryptable" && taken !== "ignored") received = true;
  }
  if (received) tick(simulation, phone, login, { id, from: to });
  const phash = peer || single(message) ? undefined : missedDevices(login, phone, addressed(message));
  if (phash) simulation.ledger.record({ event: "devices_missed", phone: login.phone.phone, id });
  accept(simulation, connection, { id, to, at, receiver: phone.phone, phash });
}

/** True for a message that is sent again, for one device. */
const isResend = ({ attrs }: BinaryNode): boolean => attrs["device_fanout"] === "false";

/**
 * True if a message for one device has a list of devices, too, or is for an own device and does not name its chat.
 * WhatsApp refuses both.
 */
function isMalformed(message: BinaryNode, isOwn: boolean): boolean {
  const { to = "", participant, recipient, category } = message.attrs;
  if (!single(message)) return participant !== undefined || (!isGroupJid(to) && child(message, "enc") !== undefined);
  return isOwn && recipient === undefined && category !== "peer";
}

const single = (message: BinaryNode): boolean => child(message, "participants") === undefined;

/** The devices that a message is encrypted for. */
const addressed = (message: BinaryNode): (string | undefined)[] =>
  children(child(message, "participants"), "to").map(({ attrs }) => attrs["jid"]);

/** The hash of the devices that a message should have been encrypted for; undefined if it was for all of them. */
function missedDevices({ phone: sender, device: own }: Login, receiver: Phone, jids: (string | undefined)[]) {
  const wanted = (sender === receiver ? [sender] : [sender, receiver]).flatMap((phone) =>
    [0, ...phone.devices.keys()]
      .filter((id) => phone !== sender || id !== own.id)
      .map((id) => ({ names: [phone.phone, phone.lid], id })),
  );
  const given = jids.flatMap((jid) => userAddress(jid) ?? []);
  const complete = wanted.every(({ names, id }) =>
    given.some(({ user, device }) => names.includes(user) && device === id),
  );
  if (complete) return undefined;
  const list = wanted.map(({ names, id }) => phoneJid(names[0]!, id)).toSorted();
  return `2:${createHash("sha256").update(list.join("")).digest("base64").slice(0, 6)}`;
}

type Accepted = { id: string; to: string; at: number; receiver?: string; phash?: string | undefined };

function accept(
  { faults, stats, store }: Simulation,
  connection: Connection,
  { id, to, at, receiver, phash }: Accepted,
): void {
  const sender = connection.login?.phone.phone;
  const delay = faults.strike("ack_delay", sender, receiver)?.ms ?? 0;
  if (faults.strike("ack_lost", sender, receiver)) {
    connection.endedBy ??= "server";
    return;
  }
  const acknowledge = () => {
    stats.acks_sent += 1;
    connection.send(node("ack", { class: "message", id, from: to, t: String(Math.floor(at / 1000)), phash }));
  };
  stats.messages_accepted += 1;
  store.afterCommit(() => (delay > 0 ? void setTimeout(acknowledge, delay).unref() : acknowledge()));
}

function refuse(
  { stats, ledger }: Simulation,
  connection: Connection,
  { id, to, code, backoff }: { id: string; to: string; code: string; backoff?: number | undefined },
): void {
  stats.messages_refused += 1;
  ledger.record({ event: "refused", phone: connection.login?.phone.phone ?? "", id, to, code });
  connection.send(
    node("ack", {
      class: "message",
      id,
      from: to,
      t: String(Math.floor(Date.now() / 1000)),
      error: code,
      backoff: backoff === undefined ? undefined : String(backoff),
    }),
  );
}

/** Returns a message's ciphertexts: one for each device, or one for the addressee itself (a resend, a peer message). */
function ciphertexts(message: BinaryNode, to: string): { jid: string; enc: BinaryNode }[] {
  const participants = child(message, "participants");
  const single = child(message, "enc");
  const direct = single ? [{ jid: to, enc: single }] : [];
  if (!participants) return direct;
  return children(participants, "to").flatMap((participant) => {
    const enc = child(participant, "enc");
    const jid = participant.attrs["jid"];
    return enc && jid ? [{ jid, enc }] : [];
  });
}

type Relay = { phone: string; device: Device; enc: BinaryNode; at: number };

/** Forwards another companion's ciphertext without decrypting it, as from the sender's device. */
function relay(sender: Login, message: BinaryNode, { phone, device, enc, at }: Relay): void {
  const own = phone === sender.phone.phone;
  const { to = "", recipient = to, edit } = message.attrs;
  const identity = child(message, "device-identity");
  device.mailbox.put(
    node(
      "message",
      {
        ...(own
          ? { from: ownJid(sender.phone, sender.device.id, recipient), recipient }
          : senderNames(sender.phone, sender.device.id)),
        id: message.attrs["id"],
        t: String(Math.floor(at / 1000)),
        type: message.attrs["type"] ?? "text",
        notify: sender.phone.name,
        edit,
      },
      identity ? [enc, identity] : [enc],
    ),
    { retry: single(message) },
  );
}
