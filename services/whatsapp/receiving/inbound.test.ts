import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { preferPhone } from "../codec/jid.ts";
import { inboundOf } from "./inbound.ts";
import type { Received } from "./inbound.ts";

const received = (message: Received["message"], key: Partial<Received["key"]> = {}): Received => ({
  key: { remoteJid: "4915112345678@s.whatsapp.net", id: "A1", fromMe: false, ...key },
  timestampS: 1_700_000_000,
  pushName: "Ada",
  message,
  accounts: { chatOf: (jid: string) => preferPhone(jid, undefined), namesOf: (jid: string) => [jid] },
  own: ["15550009999@s.whatsapp.net", "777@lid"],
  original: () => undefined,
});

const { HISTORY_SYNC_NOTIFICATION } = proto.Message.ProtocolMessage.Type;

describe("inboundOf", () => {
  test("decodes texts in both forms and every wrapper", () => {
    const expected = {
      wa_message_id: "A1",
      chat: "4915112345678@s.whatsapp.net",
      sender: "4915112345678@s.whatsapp.net",
      from_me: false,
      push_name: "Ada",
      timestamp: 1_700_000_000_000,
      type: "text",
      text: "hello",
      content: null,
    };
    expect(inboundOf(received({ conversation: "hello" }))).toEqual(expected);
    expect(inboundOf(received({ extendedTextMessage: { text: "hello" } }))).toEqual(expected);
    expect(inboundOf(received({ ephemeralMessage: { message: { conversation: "hello" } } }))).toEqual(expected);
  });

  test("names a person by phone number, without device", () => {
    const data = inboundOf(
      received({ conversation: "x" }, { remoteJid: "8812:3@lid", remoteJidAlt: "4915112345678@s.whatsapp.net" }),
    );
    expect(data?.chat).toBe("4915112345678@s.whatsapp.net");
    expect(inboundOf(received({ conversation: "x" }, { remoteJid: "8812:3@lid" }))?.chat).toBe("8812@lid");
  });

  test("names the member who wrote in a group", () => {
    const data = inboundOf(
      received(
        { conversation: "x" },
        { remoteJid: "123@g.us", participant: "9@lid", participantAlt: "4915@s.whatsapp.net" },
      ),
    );
    expect(data).toMatchObject({ chat: "123@g.us", sender: "4915@s.whatsapp.net" });
  });

  test("ignores protocol messages, keeps unknown kinds", () => {
    expect(inboundOf(received({ protocolMessage: { type: HISTORY_SYNC_NOTIFICATION } }))).toBeUndefined();
    expect(inboundOf(received({ senderKeyDistributionMessage: { groupId: "g" } }))).toBeUndefined();
    expect(inboundOf(received({}))).toBeUndefined();
    expect(inboundOf(received({ albumMessage: { expectedImageCount: 3 } }))).toBeUndefined();
    expect(inboundOf(received({ pinInChatMessage: { key: { id: "A" } } }))).toBeUndefined();
    expect(inboundOf(received({ keepInChatMessage: { key: { id: "A" } } }))).toBeUndefined();
    expect(inboundOf(received({ messageHistoryNotice: {} }))).toBeUndefined();
    expect(inboundOf(received({ statusMentionMessage: { message: { protocolMessage: {} } } }))).toBeUndefined();
    expect(inboundOf(received({ orderMessage: { orderId: "1" } }))).toMatchObject({
      type: "unknown",
      text: null,
      content: { type: "unknown", kind: "orderMessage" },
    });
  });
});

describe("a kind that Baileys' definitions lack", () => {
  /** Field 150, with one byte of content. */
  const field = [0xb2, 0x09, 0x01, 0x78];
  const context = proto.Message.encode({ messageContextInfo: { messageSecret: Buffer.alloc(32) } }).finish();

  test.each<[string, Uint8Array]>([
    ["alone", Buffer.from(field)],
    ["with a secret", Buffer.concat([context, Buffer.from(field)])],
    ["in a copy for the business", Buffer.from([0xfa, 0x01, 0x06, 0x12, 0x04, ...field])],
  ])("is named by its field: %s", (_, bytes) => {
    const decoded = proto.Message.decode(bytes);
    const message = decoded.deviceSentMessage?.message ?? decoded;
    expect(inboundOf({ ...received(message), bytes })?.content).toEqual({ type: "unknown", kind: "field 150" });
  });

  test("is named by its wrapper", () => {
    expect(inboundOf(received({ viewOnceMessageV2: { message: {} } }))?.content).toEqual({
      type: "unknown",
      kind: "viewOnceMessageV2",
    });
  });

  test.each<[string, number[]]>([
    ["nothing", []],
    ["a sender key alone", [...proto.Message.encode({ senderKeyDistributionMessage: { groupId: "g" } }).finish()]],
    ["a length cut short", [0xb2, 0x09, 0xff]],
    ["an endless number", Array.from({ length: 100 }, () => 0xff)],
  ])("is not seen in %s", (_, bytes) => {
    expect(inboundOf({ ...received({}), bytes: Buffer.from(bytes) })).toBeUndefined();
  });
});

describe("a broadcast list", () => {
  const list = { remoteJid: "1700000000@broadcast", participant: "4915@s.whatsapp.net" };

  test("lands in the chat with its owner", () => {
    expect(inboundOf(received({ conversation: "our offers" }, list))).toMatchObject({
      chat: "4915@s.whatsapp.net",
      sender: "4915@s.whatsapp.net",
    });
  });

  test("of the business itself has no chat", () => {
    expect(inboundOf(received({ conversation: "x" }, { ...list, fromMe: true }))).toBeUndefined();
  });
});

describe("another rendition of a photo", () => {
  const { HD_IMAGE_DUAL_UPLOAD, HD_VIDEO_DUAL_UPLOAD, HEVC_VIDEO_DUAL_UPLOAD, MOTION_PHOTO, MEDIA_ALBUM } =
    proto.MessageAssociation.AssociationType;
  const child = (associationType: proto.MessageAssociation.AssociationType, parent = "P1"): Received["message"] => ({
    associatedChildMessage: { message: { imageMessage: { mimetype: "image/jpeg" } } },
    messageContextInfo: { messageAssociation: { associationType, parentMessageKey: { id: parent } } },
  });
  const withParent = (message: Received["message"], author = "4915112345678@s.whatsapp.net") => ({
    ...received(message),
    original: (id: string) => (id === "P1" ? { message: {}, authors: [author] } : undefined),
  });

  test.each([HD_IMAGE_DUAL_UPLOAD, HD_VIDEO_DUAL_UPLOAD, HEVC_VIDEO_DUAL_UPLOAD, MOTION_PHOTO])(
    "is no message of its own (association %p)",
    (type) => {
      expect(inboundOf(withParent(child(type)))).toBeUndefined();
      const { associatedChildMessage, messageContextInfo } = child(type);
      const copy = {
        ...withParent({ associatedChildMessage: associatedChildMessage! }),
        outer: { messageContextInfo },
      };
      expect(inboundOf(copy as Received)).toBeUndefined();
    },
  );

  test.each<[string, Received]>([
    ["its parent is unknown", withParent(child(HD_IMAGE_DUAL_UPLOAD, "P2"))],
    ["another person wrote its parent", withParent(child(HD_IMAGE_DUAL_UPLOAD), "4915@s.whatsapp.net")],
    ["it belongs to an album", withParent(child(MEDIA_ALBUM))],
  ])("stays a message if %s", (_, message) => expect(inboundOf(message)).toMatchObject({ type: "image" }));

  test("hides no text", () => {
    const message = { ...child(HD_IMAGE_DUAL_UPLOAD), associatedChildMessage: { message: { conversation: "hello" } } };
    expect(inboundOf(withParent(message))).toMatchObject({ text: "hello" });
  });
});

describe("input of strangers", () => {
  const sizeOf = (message: Received["message"], more: Partial<Received> = {}) =>
    JSON.stringify(inboundOf({ ...received(message), ...more }) ?? {}).length;
  const huge = "x".repeat(1_000_000);

  test("truncates texts without splitting a surrogate pair", () => {
    const data = inboundOf(received({ conversation: "🙂".repeat(500_000) }));
    expect(data?.text?.length).toBeLessThanOrEqual(65_536);
    expect(data?.text?.isWellFormed()).toBeTrue();
    expect(inboundOf(received({ conversation: `x${"🙂".repeat(500_000)}` }))?.text?.isWellFormed()).toBeTrue();
  });

  test.each<[string, Received["message"]]>([
    [
      "a caption",
      { imageMessage: { caption: huge, mimetype: huge, directPath: `/${huge}`, url: `https://a/${huge}` } },
    ],
    ["a document's name", { documentMessage: { fileName: huge, caption: huge, mimetype: huge } }],
    [
      "a place",
      {
        locationMessage: {
          name: huge,
          address: huge,
          degreesLatitude: Number.NaN,
          degreesLongitude: Number.POSITIVE_INFINITY,
        },
      },
    ],
    [
      "a quote",
      {
        extendedTextMessage: {
          text: "x",
          contextInfo: { stanzaId: huge, participant: huge, quotedMessage: { conversation: huge } },
        },
      },
    ],
    [
      "10,000 mentions",
      {
        extendedTextMessage: {
          text: "x",
          contextInfo: { mentionedJid: Array.from({ length: 10_000 }, (_, n) => `${n}@lid`) },
        },
      },
    ],
    ["a card", { contactMessage: { displayName: huge, vcard: `TEL:1\n`.repeat(100_000) } }],
    [
      "cards",
      {
        contactsArrayMessage: { contacts: Array.from({ length: 5_000 }, () => ({ displayName: "x", vcard: "TEL:1" })) },
      },
    ],
    ["a card in one line", { contactMessage: { displayName: "x", vcard: `a-${huge}` } }],
    [
      "a poll",
      {
        pollCreationMessage: {
          name: huge,
          options: Array.from({ length: 5_000 }, () => ({ optionName: huge.slice(0, 2_000) })),
        },
      },
    ],
    ["a reaction", { reactionMessage: { key: { id: huge, remoteJid: huge, participant: huge }, text: huge } }],
    [
      "an edit",
      {
        protocolMessage: {
          type: proto.Message.ProtocolMessage.Type.MESSAGE_EDIT,
          key: { id: huge },
          editedMessage: { conversation: huge },
        },
      },
    ],
  ])("%s", (_, message) => {
    // CPU time: on a busy machine the process waits for a core.
    const began = process.threadCpuUsage();
    expect(sizeOf(message)).toBeLessThan(320_000);
    const ended = process.threadCpuUsage();
    expect((ended.user + ended.system - began.user - began.system) / 1000).toBeLessThan(250);
  });

  test("truncates names", () => expect(sizeOf({ conversation: "x" }, { pushName: huge })).toBeLessThan(1_000));

  test.each([Number.NaN, -1, 1e300, Number.POSITIVE_INFINITY])(
    "replaces an invalid time of %p by now",
    (timestampS) => {
      const before = Date.now();
      expect(inboundOf({ ...received({ conversation: "x" }), timestampS })?.timestamp).toBeGreaterThanOrEqual(before);
    },
  );

  test.each([
    [{ id: huge }],
    [{ remoteJid: `${huge}@s.whatsapp.net` }],
    [{ remoteJid: "0@s.whatsapp.net" }],
    [{ remoteJid: "123@g.us", participant: `${huge}@lid` }],
    [{ remoteJid: "status@broadcast", participant: "9@lid" }],
  ])("drops malformed keys (%#)", (key) => expect(inboundOf(received({ conversation: "x" }, key))).toBeUndefined());

  test("keeps undecodable messages as unreadable", () => {
    const broken = {
      ...received({
        pollUpdateMessage: { pollCreationMessageKey: { id: "P", remoteJid: "777@lid", fromMe: false }, vote: {} },
      }),
      original: () => {
        throw new Error("not a message");
      },
    };
    expect(inboundOf(broken)).toMatchObject({ type: "unknown", content: { type: "unknown" } });
  });
});
