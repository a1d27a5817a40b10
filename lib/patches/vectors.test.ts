import { describe, expect, test } from "bun:test";
import { Curve, hkdf } from "@whiskeysockets/baileys";
import { hkdfSync, randomBytes } from "node:crypto";
import { LTHashAntiTampering } from "whatsapp-rust-bridge";

// The primitives of Noise, Signal and app-state patches in the patched packages, beside public vectors.

const bytes = (hex: string) => Buffer.from(hex, "hex");

describe("public vectors", () => {
  test("of X25519 (RFC 7748, section 6.1)", () => {
    const alice = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    const bob = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    expect(Buffer.from(Curve.sharedKey(alice, bob)).toString("hex")).toBe(
      "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
    );
  });

  test("of HKDF-SHA256 (RFC 5869, test case 3)", () => {
    const derived = hkdf(Buffer.alloc(22, 0x0b), 42, {});
    expect(Buffer.from(derived).toString("hex")).toBe(
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    );
  });
});

describe("LTHash", () => {
  test("adds and subtracts little-endian words without carry", () => {
    const lthash = new LTHashAntiTampering();
    const items = [randomBytes(32), Buffer.from([1, 2, 3]), Buffer.from([42])];
    const sum = Buffer.alloc(128);
    for (const item of items) {
      const derived = Buffer.from(hkdfSync("sha256", item, Buffer.alloc(0), "WhatsApp Patch Integrity", 128));
      for (let at = 0; at < 128; at += 2)
        sum.writeUInt16LE((sum.readUInt16LE(at) + derived.readUInt16LE(at)) & 0xffff, at);
    }
    const added = lthash.subtractThenAdd(Buffer.alloc(128), [], items);
    expect(Buffer.from(added)).toEqual(sum);
    const back = lthash.subtractThenAdd(added, items, []);
    expect(Buffer.from(back)).toEqual(Buffer.alloc(128));
  });
});
