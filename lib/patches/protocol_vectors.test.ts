import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { Curve, makeNoiseHandler } from "@whiskeysockets/baileys";
import { ProtocolAddress, SessionBuilder, SessionCipher, SessionRecord } from "libsignal";
import type { SignalStorage } from "libsignal";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { createRequire } from "node:module";
import { createLogger } from "../runtime/log.ts";
import { baileysLog } from "../../services/whatsapp/session/baileys_log.ts";
import noise from "./noise_vectors.json";
import signal from "./signal_vectors.json";

// Whole conversations of Noise and Signal in the patched packages, beside public vectors.

const bytes = (hex: string) => Buffer.from(hex, "hex");
const hex = (data: Uint8Array) => Buffer.from(data).toString("hex");

/** The DER header of an X25519 private key (RFC 8410). */
const derHeader = bytes("302e020100300506032b656e04220420");

function publicKeyOf(privateKey: Buffer): Buffer {
  const key = createPrivateKey({ key: Buffer.concat([derHeader, privateKey]), format: "der", type: "pkcs8" });
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
}

describe("Noise XX as the initiator", () => {
  /** Completes the handshake of the vectors and returns the handler and its third message. */
  async function handshake() {
    const [staticKey, ephemeralKey] = [bytes(noise.initiator.static), bytes(noise.initiator.ephemeral)];
    const [first, second, third] = noise.messages.map(({ payload, ciphertext }) => ({
      payload: bytes(payload),
      ciphertext: bytes(ciphertext),
    }));
    const handler = makeNoiseHandler({
      keyPair: { private: ephemeralKey, public: publicKeyOf(ephemeralKey) },
      NOISE_HEADER: bytes(noise.prologue),
      logger: baileysLog(createLogger("test", "error")),
    });
    // WhatsApp's first message has no payload to authenticate.
    handler.authenticate(first!.payload);

    const answer = second!.ciphertext;
    const remoteEphemeral = answer.subarray(0, 32);
    handler.authenticate(remoteEphemeral);
    handler.mixIntoKey(Curve.sharedKey(ephemeralKey, remoteEphemeral));
    const remoteStatic = handler.decrypt(answer.subarray(32, 80));
    handler.mixIntoKey(Curve.sharedKey(ephemeralKey, remoteStatic));
    expect(hex(handler.decrypt(answer.subarray(80)))).toBe(hex(second!.payload));

    const sealedStatic = handler.encrypt(publicKeyOf(staticKey));
    handler.mixIntoKey(Curve.sharedKey(staticKey, remoteEphemeral));
    const sent = Buffer.concat([sealedStatic, handler.encrypt(third!.payload)]);
    expect(hex(sent)).toBe(hex(third!.ciphertext));
    await handler.finishInit();
    return handler;
  }

  test("seals and opens transport messages like the vectors", async () => {
    const handler = await handshake();
    for (const [index, { payload, ciphertext }] of noise.messages.slice(3).entries()) {
      // The responder sends the first one after the handshake.
      if (index % 2 === 0) expect(hex(handler.decrypt(bytes(ciphertext)))).toBe(payload);
      else expect(hex(handler.encrypt(bytes(payload)))).toBe(ciphertext);
    }
  });

  test("refuses a changed transport message", async () => {
    const handler = await handshake();
    const changed = bytes(noise.messages[3]!.ciphertext);
    changed[0]! ^= 1;
    expect(() => handler.decrypt(changed)).toThrow();
  });
});

/** The object through which libsignal calls its own functions; an ES module's namespace is a copy. */
const { curve } = createRequire(import.meta.url)("libsignal") as { curve: { generateKeyPair(): unknown } };

describe("Signal", () => {
  const keyPair = (privateKey: string) => {
    const privKey = bytes(privateKey);
    return { privKey, pubKey: Buffer.concat([Buffer.from([5]), publicKeyOf(privKey)]) };
  };

  /** The keys that libsignal generates next. */
  const generated: string[] = [];
  let spy: { mockRestore(): void } | undefined;
  afterEach(() => {
    spy?.mockRestore();
    generated.length = 0;
  });

  /** One end of the conversation. It draws its ephemeral keys from the vectors. */
  function end(name: string, { identityKey, ephemeralKeys }: { identityKey: string; ephemeralKeys: string[] }) {
    let record: string | undefined;
    const keys = [...ephemeralKeys];
    const storage: SignalStorage = {
      loadSession: async () => (record === undefined ? undefined : SessionRecord.deserialize(JSON.parse(record))),
      storeSession: async (_, stored) => void (record = JSON.stringify(stored.serialize())),
      isTrustedIdentity: () => true,
      loadPreKey: async (id) => (Number(id) === signal.bob.bundle.preKeyId ? keyPair(signal.bob.preKey) : undefined),
      removePreKey: () => {},
      loadSignedPreKey: () => keyPair(signal.bob.signedPreKey),
      getOurRegistrationId: () => signal.alice.registrationId,
      getOurIdentity: () => keyPair(identityKey),
    };
    const peer = new ProtocolAddress(name, 1);
    const cipher = new SessionCipher(storage, peer);
    const withKeys = async <T>(work: () => Promise<T>): Promise<T> => {
      generated.splice(0, Infinity, ...keys);
      const result = await work();
      keys.splice(0, Infinity, ...generated);
      return result;
    };
    return {
      keys,
      start: () =>
        withKeys(() => {
          const { bundle } = signal.bob;
          return new SessionBuilder(storage, peer).initOutgoing({
            registrationId: bundle.registrationId,
            identityKey: bytes(bundle.identityKey),
            preKey: { keyId: bundle.preKeyId, publicKey: bytes(bundle.preKey) },
            signedPreKey: {
              keyId: bundle.signedPreKeyId,
              publicKey: bytes(bundle.signedPreKey),
              signature: bytes(bundle.signature),
            },
          });
        }),
      send: async (text: string) =>
        hex((await withKeys(() => cipher.encrypt(padded(text)))).body as unknown as Uint8Array),
      receive: (ciphertext: string) =>
        withKeys(() => {
          const data = bytes(ciphertext);
          // Only a message that starts a session has the pre-key's number as its first field.
          return data[1] === 0x08 ? cipher.decryptPreKeyWhisperMessage(data) : cipher.decryptWhisperMessage(data);
        }),
    };
  }

  /** The plaintext of the vectors: field 1 of a protobuf message, padded to 159 bytes. */
  function padded(text: string): Buffer {
    const plain = Buffer.alloc(159);
    Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text), Buffer.from([0x80])]).copy(plain);
    return plain;
  }

  function startConversation() {
    spy = spyOn(curve, "generateKeyPair").mockImplementation(() => {
      const next = generated.shift();
      if (next === undefined) throw new Error("more keys generated than the vectors hold");
      return keyPair(next);
    });
    const { baseKey, ephemeralKeys, identityKey } = signal.alice;
    return {
      alice: end("bob", { identityKey, ephemeralKeys: [baseKey, ...ephemeralKeys] }),
      bob: end("alice", signal.bob),
    };
  }

  test.each([
    ["in order", (turn: typeof signal.messages) => turn],
    ["in reverse", (turn: typeof signal.messages) => turn.toReversed()],
  ])("seals messages like the vectors and opens them %s", async (_, ordered) => {
    const ends = startConversation();
    await ends.alice.start();
    const turns = [signal.messages.slice(0, 2), signal.messages.slice(2, 4), signal.messages.slice(4)];
    for (const turn of turns) {
      const [sender, receiver] = turn[0]!.from === "alice" ? [ends.alice, ends.bob] : [ends.bob, ends.alice];
      for (const { text, ciphertext } of turn) expect(await sender.send(text)).toBe(ciphertext);
      for (const { text, ciphertext } of ordered(turn))
        expect(hex(await receiver.receive(ciphertext))).toBe(hex(padded(text)));
    }
    expect([...ends.alice.keys, ...ends.bob.keys]).toEqual([]);
  });

  test("refuses a message with a changed byte", async () => {
    const { bob } = startConversation();
    const changed = bytes(signal.messages[0]!.ciphertext);
    changed[200]! ^= 1;
    await expect(bob.receive(hex(changed))).rejects.toThrow("Bad MAC");
  });

  test("verifies the signature of the vectors, and no changed one", () => {
    const { identityKey, signedPreKey, signature } = signal.bob.bundle;
    const verify = (signed: Buffer) => Curve.verify(bytes(identityKey).subarray(1), bytes(signedPreKey), signed);
    expect(verify(bytes(signature))).toBeTrue();
    const accepted = Array.from({ length: 64 }, (_, at) => {
      const changed = bytes(signature);
      changed[at]! ^= 1;
      return changed;
    }).filter(verify);
    expect(accepted).toEqual([]);
  });
});
