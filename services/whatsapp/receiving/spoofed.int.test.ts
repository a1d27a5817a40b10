import { proto } from "@whiskeysockets/baileys";
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { until } from "../../../lib/testing/until.ts";
import { AuthStore } from "../auth/auth_store.ts";
import { shardScenario } from "../testing/scenario.ts";
import { makePhone, newPhone, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();
const { Type } = proto.Message.ProtocolMessage;
const { PLACEHOLDER_MESSAGE_RESEND } = proto.Message.PeerDataOperationRequestType;

/** A history with a privacy token of a contact. */
const history = (contact: string) => ({
  type: Type.HISTORY_SYNC_NOTIFICATION,
  historySyncNotification: {
    syncType: proto.Message.HistorySyncType.INITIAL_BOOTSTRAP,
    initialHistBootstrapInlinePayload: deflateSync(
      proto.HistorySync.encode(
        proto.HistorySync.fromObject({
          syncType: 0,
          conversations: [
            { id: `${contact}@s.whatsapp.net`, tcToken: randomBytes(16), tcTokenTimestamp: 1, messages: [] },
          ],
        }),
      ).finish(),
    ),
  },
});

const keyId = Buffer.from("forged");
const syncKey = {
  type: Type.APP_STATE_SYNC_KEY_SHARE,
  appStateSyncKeyShare: {
    keys: [{ keyId: { keyId }, keyData: { keyData: randomBytes(32), timestamp: 1 } }],
  },
};

/** The content of a message that was never written. */
const resent = (contact: string) => ({
  type: Type.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE,
  peerDataOperationRequestResponseMessage: {
    peerDataOperationRequestType: PLACEHOLDER_MESSAGE_RESEND,
    peerDataOperationResult: [
      {
        placeholderMessageResendResponse: {
          webMessageInfoBytes: proto.WebMessageInfo.encode({
            key: { remoteJid: `${contact}@s.whatsapp.net`, id: "3AFORGED", fromMe: false },
            message: { conversation: "forged" },
            messageTimestamp: Math.floor(Date.now() / 1000),
          }).finish(),
        },
      },
    ],
  },
});

describe("a stranger's message of the kind that only the own phone sends", () => {
  test.each(["history", "key", "resend"])("has no effect: %s", async (kind) => {
    const { shard, simulator, business, phone, contact, write, received } = scenario;
    await shard.pair(simulator, business, phone);
    const customer = newPhone();
    await makePhone(simulator, customer);
    const protocolMessage = kind === "history" ? history(customer) : kind === "key" ? syncKey : resent(customer);
    const wire = Buffer.from(proto.Message.encode({ protocolMessage }).finish()).toString("base64");
    await write(contact, { wire });
    await write(contact, { text: "a question" });
    await until(async () => (await received()).includes("a question"), { what: "the next message" });
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgements" });
    expect(await received()).toEqual(["a question"]);
    // A stored token or salt would let the message through, a stored key would sign the account's settings.
    await scenario.fault("token_required");
    expect((await shard.send(business, [text(customer, "new")]))[0]).toMatchObject({ error: { code: "463" } });
    await shard.stop();
    const path = join(scenario.volume, "sessions", business, "auth.db");
    const store = AuthStore.open(path, business, KeyRing.parse(scenario.keys));
    expect(store.read(`app-state-sync-key:${keyId.toString("base64")}`)).toBeUndefined();
    store.close();
    scenario.start();
  });
});
