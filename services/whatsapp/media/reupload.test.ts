import { describe, expect, test } from "bun:test";
import { getBinaryNodeChild } from "@whiskeysockets/baileys";
import type { BaileysEventMap, BinaryNode, GroupMetadata } from "@whiskeysockets/baileys";
import { EventEmitter } from "node:events";
import type { OpenSocket } from "../chats/query.ts";
import { reupload } from "./reupload.ts";

const group = "120363000000000001@g.us";
const [number, lid] = ["15550001111@s.whatsapp.net", "888@lid"];
const request = {
  wa_message_id: "A1",
  chat: group,
  from_me: false,
  sender: number,
  media_key: Buffer.alloc(32, 1).toString("base64"),
};

type Update = BaileysEventMap["messages.media-update"][number];

/** A session whose phone answers each request at once. `asked`: the requests. */
function phoneThatAnswers(answer: Partial<Update>) {
  const ev = new EventEmitter();
  const asked: BinaryNode[] = [];
  const sendNode = (node: BinaryNode) => {
    asked.push(node);
    ev.emit("messages.media-update", [{ key: { id: "A1" }, ...answer }]);
    return Promise.resolve();
  };
  const metadata = { participants: [{ id: lid, lid, phoneNumber: number }] } as GroupMetadata;
  const socket = { user: { id: "15559990000:1@s.whatsapp.net" }, ev, sendNode };
  return { open: { socket, groupOf: () => Promise.resolve(metadata) } as unknown as OpenSocket, asked };
}

describe("a file that the phone is asked for", () => {
  test("is named by the member's JID in the group", async () => {
    const { open, asked } = phoneThatAnswers({});
    await reupload(open, request);
    expect(getBinaryNodeChild(asked[0], "rmr")?.attrs).toMatchObject({ jid: group, participant: lid });
  });

  test("is gone if the phone does not have it", async () => {
    expect(await reupload(phoneThatAnswers({}).open, request)).toBeNull();
  });

  test("may still come after an undecryptable answer", async () => {
    const media = { ciphertext: Buffer.alloc(40), iv: Buffer.alloc(12) };
    await expect(reupload(phoneThatAnswers({ media }).open, request)).rejects.toMatchObject({ code: "unavailable" });
  });
});
