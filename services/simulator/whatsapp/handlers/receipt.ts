import { proto } from "@whiskeysockets/baileys";
import { resendFromGroup } from "../groups/write.ts";
import { uploadAgain } from "../media/upload_again.ts";
import { stanzaKey } from "../mail/mailbox.ts";
import type { StanzaIdentity } from "../mail/mailbox.ts";
import { post } from "../messages/write.ts";
import type { Device } from "../phones/device.ts";
import { ownJid, senderNames } from "../phones/naming.ts";
import type { KeyBundle } from "../phones/signal.ts";
import type { Simulation } from "../simulation.ts";
import type { Connection, Login } from "../wire/connection.ts";
import { phoneJid, userAddress } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { bytes, child, children, firstChild, node, nowS, requiredBytes } from "../wire/stanza.ts";

/**
 * Processes a companion's receipt: it received messages (which acknowledges them), read them, cannot decrypt them
 * (`retry`), or cannot download their media (`server-error`).
 */
export async function onReceipt(simulation: Simulation, connection: Connection, receipt: BinaryNode): Promise<void> {
  const { login } = connection;
  const { id, to, type, participant } = receipt.attrs;
  if (!login || !id || !to) return;
  const list = firstChild(receipt);
  const ids = [id, ...(list?.tag === "list" ? children(list, "item").map((item) => item.attrs["id"] ?? "") : [])];
  if (type === "retry") await resend(simulation, login, receipt);
  else if (type === "server-error") await uploadAgain(simulation, login, receipt);
  else for (const each of ids) acknowledge(simulation, login, { id: each, from: to, participant });
  if (type === undefined || type === "inactive" || type === "read")
    mark(simulation, login, { to, participant }, ids, type === "read" ? "read" : "delivered");
  simulation.store.afterCommit(() =>
    connection.send(node("ack", { class: "receipt", id, from: to, participant, type })),
  );
}

function acknowledge({ stats }: Simulation, { device }: Login, message: StanzaIdentity): void {
  if (device.mailbox.acknowledge(stanzaKey("message", message))) stats.stanzas_acknowledged += 1;
}

/** The chat, and in a group the writer of the message. */
type Receipted = { to: string; participant: string | undefined };

/** Updates the ticks of the writer's phone, and sends them to its companions. */
function mark(
  simulation: Simulation,
  reader: Login,
  { to, participant }: Receipted,
  ids: string[],
  status: "delivered" | "read",
): void {
  const group = simulation.groups.get(to);
  const address = userAddress(participant ?? to);
  const writer = address && simulation.phones.at(address);
  if (!writer || writer === reader.phone) return;
  const { store } = simulation;
  const previous = status === "read" ? "('sent', 'delivered')" : "('sent')";
  for (const id of ids) {
    store.write(() =>
      store.db
        .query(`UPDATE sent SET status = ? WHERE phone = ? AND id = ? AND status IN ${previous}`)
        .run(status, writer.phone, id),
    );
    for (const device of writer.devices.values()) {
      const from = group ? group.fromMember(reader.phone) : { from: senderNames(reader.phone).from! };
      device.mailbox.put(
        node("receipt", {
          ...from,
          id,
          type: status === "read" ? "read" : undefined,
          t: String(Math.floor(Date.now() / 1000)),
        }),
      );
    }
  }
}

/** Requests a companion's message from it again, for a companion that could not decrypt it. */
function requestAgain({ groups }: Simulation, { phone, device }: Login, receipt: BinaryNode, writer: Device): void {
  const { id, to = "", recipient } = receipt.attrs;
  const isOwn = phone.phone === writer.phone;
  const from = isOwn ? ownJid(phone, device.id, recipient ?? to) : senderNames(phone, device.id).from;
  const names = groups.get(to)?.fromMember(phone, device.id) ?? { from };
  writer.mailbox.put(node("receipt", { ...names, id, type: "retry", recipient, t: nowS() }, receipt.content));
}

/** Resends a phone's message, in a new Signal session, to a companion that could not decrypt it. */
async function resend(simulation: Simulation, login: Login, receipt: BinaryNode): Promise<void> {
  const { phone, device } = login;
  const { id, to = "", recipient, participant } = receipt.attrs;
  const address = userAddress(participant ?? to);
  const from = address && simulation.phones.at(address);
  if (!id || !from) return;
  simulation.stats.retries_asked += 1;
  const writer = from.devices.get(address.device);
  if (writer) return requestAgain(simulation, login, receipt, writer);
  simulation.store.flush();
  const sent = simulation.store.db
    .query<{ recipient: string; content: Uint8Array; at: number }, [string, string]>(
      "SELECT recipient, content, at FROM sent WHERE phone = ? AND id = ?",
    )
    .get(from.phone, id);
  if (!sent) return;
  simulation.ledger.record({ event: "resent", phone: phone.phone, id });
  const original = proto.Message.decode(sent.content);
  const retry = Number(child(receipt, "retry")?.attrs["count"] ?? 1);
  const group = simulation.groups.get(to);
  if (group) {
    return resendFromGroup(from, group, {
      device,
      id,
      timestamp: sent.at,
      content: original,
      retry,
      ...sentBundle(receipt),
    });
  }
  const own = from === phone && recipient !== undefined;
  const content = own
    ? { deviceSentMessage: { destinationJid: phoneJid(sent.recipient), message: original } }
    : original;
  await post(simulation, {
    from,
    device,
    id,
    timestamp: sent.at,
    content,
    retry,
    ...(own ? { recipient: simulation.phones.obtain(sent.recipient) } : {}),
    ...sentBundle(receipt),
  });
}

function sentBundle(receipt: BinaryNode): { bundle: KeyBundle } | undefined {
  const keys = child(receipt, "keys");
  const signed = child(keys, "skey");
  if (!keys || !signed) return undefined;
  const single = child(keys, "key");
  return {
    bundle: {
      registrationId: bytes(receipt, "registration")?.readUInt32BE() ?? 0,
      identity: requiredBytes(keys, "identity"),
      signedPreKey: {
        keyId: requiredBytes(signed, "id").readUIntBE(0, 3),
        public: requiredBytes(signed, "value"),
        signature: requiredBytes(signed, "signature"),
      },
      ...(single
        ? { preKey: { keyId: requiredBytes(single, "id").readUIntBE(0, 3), public: requiredBytes(single, "value") } }
        : {}),
    },
  };
}
