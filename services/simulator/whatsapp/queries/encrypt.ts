import { takeBundle } from "../messages/write.ts";
import type { KeyBundle } from "../phones/signal.ts";
import { userAddress } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { child, children, node, requiredBytes, StanzaError, uint } from "../wire/stanza.ts";
import type { Query, QueryAnswer } from "./query.ts";
import { loggedIn } from "./query.ts";

/** Answers key queries: the number of own keys left, uploads of own keys, and the keys of other devices. */
export async function encrypt(query: Query): Promise<QueryAnswer> {
  const { iq } = query;
  const { device } = loggedIn(query);
  if (iq.attrs["type"] === "get") {
    if (child(iq, "count")) return [node("count", { value: String(device.preKeyCount) })];
    if (child(iq, "digest"))
      return [node("digest", {}, [node("registration", {}, uint(device.state.registrationId, 4))])];
    const requested = child(iq, "key");
    if (requested)
      return [
        node(
          "list",
          {},
          children(requested, "user").map((user) => bundleOf(query, user)),
        ),
      ];
    throw new StanzaError("400", "bad-request");
  }
  const rotated = child(iq, "rotate");
  if (rotated) device.update({ signedPreKey: signedPreKey(rotated) });
  else upload(query);
  await query.simulation.store.committed();
  return undefined;
}

function upload(query: Query): void {
  const { iq } = query;
  const { device } = loggedIn(query);
  const list = child(iq, "list");
  if (!list) throw new StanzaError("400", "bad-request");
  device.update({ registrationId: requiredBytes(iq, "registration").readUInt32BE(), signedPreKey: signedPreKey(iq) });
  device.addPreKeys(
    children(list, "key").map((key) => ({
      keyId: requiredBytes(key, "id").readUIntBE(0, 3),
      public: requiredBytes(key, "value"),
    })),
  );
}

function signedPreKey(parent: BinaryNode): { keyId: number; public: Buffer; signature: Buffer } {
  const key = child(parent, "skey");
  return {
    keyId: requiredBytes(key, "id").readUIntBE(0, 3),
    public: requiredBytes(key, "value"),
    signature: requiredBytes(key, "signature"),
  };
}

function bundleOf({ simulation, connection }: Query, user: BinaryNode): BinaryNode {
  const jid = user.attrs["jid"];
  const address = userAddress(jid);
  const phone = address && simulation.phones.at(address);
  const device = address && phone?.devices.get(address.device);
  if (!phone || !address || (address.device > 0 && !device)) {
    return node("user", { jid }, [node("error", { code: "404", text: "item-not-found" })]);
  }
  const keyless = simulation.faults.strikeIf("no_keys", (fault) => fault.device === address.device, phone.phone);
  if (keyless) {
    const asker = connection.login?.phone.phone ?? "";
    simulation.ledger.record({ event: "keyless", phone: asker, number: phone.phone, device: address.device });
    return node("user", { jid }, [node("error", { code: String(keyless.code), text: "item-not-found" })]);
  }
  return node("user", { jid }, keyNodes(device ? takeBundle(device) : phone.signal.bundle()));
}

function keyNodes({ registrationId, identity, signedPreKey: signed, preKey }: KeyBundle): BinaryNode[] {
  return [
    node("registration", {}, uint(registrationId, 4)),
    node("type", {}, Buffer.from([5])),
    node("identity", {}, identity),
    node("skey", {}, [
      node("id", {}, uint(signed.keyId, 3)),
      node("value", {}, signed.public),
      node("signature", {}, signed.signature),
    ]),
    ...(preKey ? [node("key", {}, [node("id", {}, uint(preKey.keyId, 3)), node("value", {}, preKey.public)])] : []),
  ];
}
