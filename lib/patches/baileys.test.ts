import { describe, expect, test } from "bun:test";
import {
  addTransactionCapability,
  configureSuccessfulPairing,
  Curve,
  downloadEncryptedContent,
  hmacSign,
  initAuthCreds,
  MISSING_KEYS_ERROR_TEXT,
  parseAndInjectE2ESessions,
  proto,
} from "@whiskeysockets/baileys";
import type {
  BinaryNode,
  SignalDataSet,
  SignalKeyStore,
  SignalRepositoryWithLIDStore,
} from "@whiskeysockets/baileys";
import { createCipheriv, randomBytes } from "node:crypto";
import { createLogger } from "../runtime/log.ts";
import { until } from "../testing/until.ts";
import { offlineSocket } from "./offline_socket.fixture.ts";
import { baileysLog } from "../../services/whatsapp/session/baileys_log.ts";

// Tests of the defects in Baileys that lib/patches fixes. They fail if the patches are not applied.

describe("signatures", () => {
  test("of a wrong key, message or garbage are refused", () => {
    const [signer, other] = [Curve.generateKeyPair(), Curve.generateKeyPair()];
    const message = randomBytes(64);
    const signature = Curve.sign(signer.private, message);
    expect(Curve.verify(signer.public, message, signature)).toBeTrue();
    expect(Curve.verify(other.public, message, signature)).toBeFalse();
    expect(Curve.verify(signer.public, randomBytes(64), signature)).toBeFalse();
    expect(Curve.verify(signer.public, message, randomBytes(64))).toBeFalse();
    expect(Curve.verify(signer.public, message, randomBytes(3))).toBeFalse();
  });

  test("of another key on the account identity fail pairing", () => {
    const creds = initAuthCreds();
    const [account, impostor] = [Curve.generateKeyPair(), Curve.generateKeyPair()];
    const pairSuccess = (signer: typeof account): BinaryNode => {
      const details = proto.ADVDeviceIdentity.encode({ rawId: 1, timestamp: 1, keyIndex: 1 }).finish();
      const accountSignature = Curve.sign(
        Buffer.from(signer.private),
        Buffer.concat([Buffer.from([6, 0]), details, creds.signedIdentityKey.public]),
      );
      const identity = proto.ADVSignedDeviceIdentity.encode({
        details,
        accountSignatureKey: account.public,
        accountSignature,
      }).finish();
      const hmac = hmacSign(identity, Buffer.from(creds.advSecretKey, "base64"));
      const content = proto.ADVSignedDeviceIdentityHMAC.encode({ details: identity, hmac }).finish();
      return {
        tag: "iq",
        attrs: { id: "1" },
        content: [
          {
            tag: "pair-success",
            attrs: {},
            content: [
              { tag: "device-identity", attrs: {}, content },
              { tag: "device", attrs: { jid: "4915:1@s.whatsapp.net", lid: "88:1@lid" } },
            ],
          },
        ],
      };
    };
    expect(configureSuccessfulPairing(pairSuccess(account), creds).creds.me?.id).toBe("4915:1@s.whatsapp.net");
    expect(() => configureSuccessfulPairing(pairSuccess(impostor), creds)).toThrow(
      "Failed to verify account signature",
    );
  });
});

test("writes keys that are set after their transaction", async () => {
  const written: SignalDataSet[] = [];
  const store: SignalKeyStore = { get: () => ({}), set: (data) => void written.push(data) };
  const keys = addTransactionCapability(store, baileysLog(createLogger("test", "error")), {
    maxCommitRetries: 1,
    delayBetweenTriesMs: 0,
  });
  let later: Promise<void> | undefined;
  const over = Promise.withResolvers<void>();
  await keys.transaction(async () => {
    await keys.set({ "lid-mapping": { a: "inside" } });
    later = over.promise.then(() => keys.set({ "lid-mapping": { b: "after" } }));
  }, "key");
  over.resolve();
  await later;
  expect(written).toEqual([{ "lid-mapping": { a: "inside" } }, { "lid-mapping": { b: "after" } }]);
});

describe("devices with unusable keys", () => {
  const user = (jid: string, content: BinaryNode[]): BinaryNode => ({ tag: "user", attrs: { jid }, content });
  const bytes = (tag: string, content: Uint8Array): BinaryNode => ({ tag, attrs: {}, content });
  const keys = (): BinaryNode[] => {
    const signedKey = [
      bytes("id", Buffer.alloc(3, 1)),
      bytes("value", randomBytes(32)),
      bytes("signature", randomBytes(64)),
    ];
    return [
      bytes("registration", Buffer.alloc(4, 1)),
      bytes("identity", randomBytes(32)),
      { tag: "skey", attrs: {}, content: signedKey },
    ];
  };
  const noKeys = (code: string): BinaryNode[] => [{ tag: "error", attrs: { code, text: "item-not-found" } }];

  test("do not prevent sessions with other devices", async () => {
    const injected: string[] = [];
    const repository = {
      injectE2ESession: async ({ jid }: { jid: string }) => {
        if (jid.startsWith("forged")) throw new Error("not signed");
        injected.push(jid);
      },
    } as unknown as SignalRepositoryWithLIDStore;
    const users = [
      user("a@lid", keys()),
      user("b@lid", noKeys("404")),
      user("c@lid", noKeys("406")),
      user("forged@lid", keys()),
      user("malformed@lid", []),
      user("d@lid", keys()),
    ];
    await parseAndInjectE2ESessions(
      { tag: "iq", attrs: {}, content: [{ tag: "list", attrs: {}, content: users }] },
      repository,
    );
    expect(injected).toEqual(["a@lid", "d@lid"]);
  });

  test("fail a message only if it has no other recipient", async () => {
    const { socket, end } = offlineSocket({ me: { id: "4915:1@s.whatsapp.net", name: "~" } });
    const encrypt = (mayBeEmpty: boolean) =>
      (socket.createParticipantNodes as (...more: unknown[]) => Promise<{ nodes: BinaryNode[] }>)(
        ["4916@s.whatsapp.net"],
        { conversation: "x" },
        {},
        undefined,
        mayBeEmpty,
      );
    expect((await encrypt(true)).nodes).toEqual([]);
    await expect(encrypt(false)).rejects.toThrow("All encryptions failed");
    await end();
  });
});

describe("undecryptable messages", () => {
  /** The error codes of the acknowledgement of a message that fails with this error. */
  const errorsOf = async (from: string, failure: string) => {
    const { socket, acks, end } = offlineSocket({
      me: { id: "4915:1@s.whatsapp.net", name: "~" },
      decryptMessage: () => Promise.reject(new Error(failure)),
    });
    socket.ws.emit("CB:message", {
      tag: "message",
      attrs: { from, participant: "77@lid", id: "1", t: `${Math.floor(Date.now() / 1000)}`, type: "text" },
      content: [{ tag: "enc", attrs: { v: "2", type: "msg" }, content: Buffer.alloc(80) }],
    });
    await until(() => acks.length > 0, { what: "the acknowledgement" });
    await end();
    return acks.map(({ error }) => error);
  };

  test("in a group are refused", async () => {
    expect(await errorsOf("120363000000000001@g.us", MISSING_KEYS_ERROR_TEXT)).toEqual(["487"]);
  });

  test("of statuses are acknowledged without an error", async () => {
    expect(await errorsOf("status@broadcast", MISSING_KEYS_ERROR_TEXT)).toEqual([undefined]);
  });
});

describe("notifications to an unlinked client", () => {
  const notified = async (type: string): Promise<string[]> => {
    const { socket, errors, end } = offlineSocket({});
    socket.ws.emit("CB:notification", {
      tag: "notification",
      attrs: { from: "s.whatsapp.net", id: "1", type },
      content: [],
    });
    const after = Promise.withResolvers<void>();
    setImmediate(after.resolve);
    await after.promise;
    await end();
    return errors.filter((error) => error.includes("ack"));
  };

  test("are acknowledged", async () => {
    // The closed socket is the only reason why the acknowledgement fails.
    expect(await notified("devices_of_tomorrow")).toEqual(["failed to ack notification: Connection Closed"]);
  });

  test("of companion_reg_refresh are left to its listener", async () => {
    expect(await notified("companion_reg_refresh")).toEqual([]);
  });
});

describe("downloads", () => {
  const keys = { cipherKey: Buffer.alloc(32, 1), iv: Buffer.alloc(16, 2) };
  const bytesOf = async (stream: AsyncIterable<Uint8Array>) => Buffer.concat(await Array.fromAsync(stream));
  /** Reads from a host that sends 64 bytes, and then does what `next` does. */
  const read = async (next: (body: ReadableStreamDefaultController) => void, options: object) => {
    const start = (body: ReadableStreamDefaultController) => {
      body.enqueue(new Uint8Array(64));
      next(body);
    };
    using host = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(new ReadableStream({ start })),
      error: () => new Response(),
    });
    return await bytesOf(await downloadEncryptedContent(host.url.href, keys, { options }));
  };

  test("end at their deadline", async () => {
    const brief = (url: string) => fetch(url, { signal: AbortSignal.timeout(50) });
    await expect(read(() => {}, { fetch: brief })).rejects.toThrow();
  }, 2_000);

  test("report a file that cannot be decrypted", async () => {
    await expect(read((body) => body.close(), {})).rejects.toThrow();
  }, 2_000);

  test("are fetched by the caller's own fetch", async () => {
    const cipher = createCipheriv("aes-256-cbc", keys.cipherKey, keys.iv);
    const encrypted = Buffer.concat([cipher.update("a file"), cipher.final()]);
    const options = { fetch: async () => new Response(encrypted) } as RequestInit;
    const file = await downloadEncryptedContent("http://media.invalid/file", keys, { options });
    expect((await bytesOf(file)).toString()).toBe("a file");
  });
});
