import {
  Curve,
  decodeBinaryNode,
  encodeBinaryNode,
  makeNoiseHandler,
  NOISE_WA_HEADER,
  proto,
  WA_CERT_DETAILS,
} from "@whiskeysockets/baileys";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import pino from "pino";
import { generateKeyPair, verify } from "../keys.ts";
import { frame } from "../wire/frames.ts";
import { NoiseHandshake } from "./handshake.ts";
import { createNoiseIdentity, noiseRoot } from "./identity.ts";

const identity = createNoiseIdentity("a seed for this test");
const whatsAppsRoot = WA_CERT_DETAILS.PUBLIC_KEY;

beforeAll(() => void (WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(identity.root)));
afterAll(() => void (WA_CERT_DETAILS.PUBLIC_KEY = whatsAppsRoot));

/** Baileys' half of the handshake. */
function client() {
  const keyPair = Curve.generateKeyPair();
  const noiseKey = Curve.generateKeyPair();
  const noise = makeNoiseHandler({ keyPair, NOISE_HEADER: NOISE_WA_HEADER, logger: pino({ level: "silent" }) });
  return {
    noise,
    noiseKey,
    hello: proto.HandshakeMessage.encode({ clientHello: { ephemeral: keyPair.public } }).finish(),
    finish: (serverHello: Uint8Array) => {
      const staticEncrypted = noise.processHandshake(proto.HandshakeMessage.decode(serverHello), noiseKey);
      const payload = noise.encrypt(proto.ClientPayload.encode({ username: 491_700_000_000, device: 3 }).finish());
      return proto.HandshakeMessage.encode({ clientFinish: { static: staticEncrypted, payload } }).finish();
    },
  };
}

describe("the handshake", () => {
  test("authenticates both sides and starts the transport", async () => {
    const server = new NoiseHandshake(identity);
    const { noise, noiseKey, hello, finish } = client();
    const result = server.finish(finish(server.hello(hello)));
    expect(result.staticKey.equals(Buffer.from(noiseKey.public))).toBe(true);
    expect(String(result.payload.username)).toBe("491700000000");
    await noise.finishInit();
    // The first frame starts with the intro.
    const sent = ["first", "second"].map((id) => noise.encodeFrame(encodeBinaryNode({ tag: "iq", attrs: { id } })));
    const bodies = [sent[0]!.subarray(NOISE_WA_HEADER.length + 3), sent[1]!.subarray(3)];
    const ids = await Promise.all(
      bodies.map(async (body) => (await decodeBinaryNode(result.transport.decrypt(body))).attrs["id"]),
    );
    expect(ids).toEqual(["first", "second"]);
    const received: unknown[] = [];
    await noise.decodeFrame(frame(result.transport.encrypt(encodeBinaryNode({ tag: "success", attrs: {} }))), (node) =>
      received.push(node),
    );
    expect(received).toMatchObject([{ tag: "success" }]);
  });

  test("fails if the client's finish was altered", () => {
    const server = new NoiseHandshake(identity);
    const { hello, finish } = client();
    const last = proto.HandshakeMessage.decode(finish(server.hello(hello)));
    last.clientFinish!.payload![0]! ^= 1;
    expect(() => server.finish(proto.HandshakeMessage.encode(last).finish())).toThrow();
  });
});

describe("the certificate chain", () => {
  const { leaf, intermediate } = proto.CertChain.decode(identity.certificateChain);
  const details = (certificate: typeof leaf) => proto.CertChain.NoiseCertificate.Details.decode(certificate!.details!);

  test("leads from the root to the static key", () => {
    expect(verify(identity.root, intermediate!.details!, intermediate!.signature!)).toBe(true);
    expect(verify(details(intermediate).key!, leaf!.details!, leaf!.signature!)).toBe(true);
    expect(Buffer.from(details(leaf).key!).equals(identity.staticKey.public)).toBe(true);
    expect(details(intermediate).issuerSerial).toBe(WA_CERT_DETAILS.SERIAL);
  });

  test("does not lead from another root", () => {
    expect(verify(generateKeyPair().public, intermediate!.details!, intermediate!.signature!)).toBe(false);
  });

  test("has a root that depends on the seed", () => {
    expect(noiseRoot("a seed for this test").equals(identity.root)).toBe(true);
    expect(noiseRoot("another seed for this test").equals(identity.root)).toBe(false);
  });
});
