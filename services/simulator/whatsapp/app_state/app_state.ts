import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import type { Phone } from "../phones/phone.ts";
import type { Simulation } from "../simulation.ts";
import { node, nowS, server, stanzaId } from "../wire/stanza.ts";
import { emptyHash, mixed, Protection } from "./protection.ts";
import type { Mutation } from "./protection.ts";
import { bytesField, varintField } from "./encode.ts";

/** The settings that a phone shares with its companions, in base64: a key, and the patches of each collection. */
export type AppState = {
  keyId: string;
  key: string;
  collections: Record<string, Collection>;
};

type Collection = {
  hash: string;
  /** The MAC of each record's value, by the MAC of its index. */
  records: Record<string, string>;
  patches: string[];
};

/** Of the simulated actions. */
const actionVersion = 1;
const { SET, REMOVE } = proto.SyncdMutation.SyncdOperation;

const decoded = (text: string) => Buffer.from(text, "base64");

/** The phone's app state; its key exists from the first use on. */
export function appStateOf(phone: Phone): AppState {
  if (phone.appState !== undefined) return phone.appState;
  const keyId = Buffer.concat([Buffer.alloc(4), randomBytes(2)]).toString("base64");
  const created = { keyId, key: randomBytes(32).toString("base64"), collections: {} };
  phone.change({ app_state: created });
  return created;
}

/** Changes a record on the phone and notifies its companions. */
export async function changeRecord(
  { store }: Simulation,
  phone: Phone,
  collection: string,
  mutation: Mutation,
): Promise<void> {
  const state = appStateOf(phone);
  const changed = patched(state, collection, mutation);
  phone.change({ app_state: { ...state, collections: { ...state.collections, [collection]: changed } } });
  const version = String(changed.patches.length);
  for (const device of phone.devices.values()) {
    const attributes = { from: server, type: "server_sync", id: stanzaId(), t: nowS() };
    device.mailbox.put(node("notification", attributes, [node("collection", { name: collection, version })]));
  }
  await store.committed();
}

function patched({ keyId, key, collections }: AppState, name: string, { index, value }: Mutation): Collection {
  const { hash, records, patches } = collections[name] ?? {
    hash: emptyHash().toString("base64"),
    records: {},
    patches: [],
  };
  const protection = new Protection(decoded(keyId), decoded(key));
  const encodedIndex = Buffer.from(JSON.stringify(index));
  const data = Buffer.concat([
    bytesField(1, encodedIndex),
    ...(value === undefined ? [] : [bytesField(2, value)]),
    bytesField(3, Buffer.alloc(0)),
    varintField(4, actionVersion),
  ]);
  const { remove, indexMac, blob, valueMac } = protection.seal(encodedIndex, data, value === undefined);
  const record = indexMac.toString("base64");
  const { [record]: former, ...others } = records;
  let sum: Buffer = decoded(hash);
  if (former !== undefined) sum = mixed(sum, decoded(former), -1);
  if (!remove) sum = mixed(sum, valueMac, 1);
  const version = patches.length + 1;
  const snapshotMac = protection.snapshotMac(name, version, sum);
  const id = { id: decoded(keyId) };
  const patch = proto.SyncdPatch.encode({
    version: { version },
    keyId: id,
    snapshotMac,
    patchMac: protection.patchMac(name, version, snapshotMac, [valueMac]),
    mutations: [
      { operation: remove ? REMOVE : SET, record: { index: { blob: indexMac }, value: { blob }, keyId: id } },
    ],
  }).finish();
  return {
    hash: sum.toString("base64"),
    records: remove ? others : { ...others, [record]: valueMac.toString("base64") },
    patches: [...patches, Buffer.from(patch).toString("base64")],
  };
}
