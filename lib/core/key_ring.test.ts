import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { deriveRing, KeyExhausted, KeyRing, TamperedValue, UnknownKey } from "./key_ring.ts";

const key = () => randomBytes(32).toString("base64");
const salt = randomBytes(16);

describe("a sealed value", () => {
  test("opens under the same context only", () => {
    const sealer = KeyRing.parse(`k1:${key()}`).sealer("auth", salt);
    const sealed = sealer.seal(Buffer.from("secret"), "business-a/creds");
    expect(sealer.open(sealed, "business-a/creds").toString()).toBe("secret");
    expect(() => sealer.open(sealed, "business-b/creds")).toThrow(TamperedValue);
  });

  test("opens after its key was rotated", () => {
    const [first, second] = [key(), key()];
    const old = KeyRing.parse(`k1:${first}`).sealer("auth", salt).seal(Buffer.from("secret"), "x");
    const rotated = KeyRing.parse(`k2:${second},k1:${first}`).sealer("auth", salt);
    expect(rotated.open(old, "x").toString()).toBe("secret");
    expect(rotated.seal(Buffer.from("new"), "x").keyId).toBe("k2");
    expect(() => KeyRing.parse(`k2:${second}`).sealer("auth", salt).open(old, "x")).toThrow(UnknownKey);
  });

  test("does not open if altered, truncated, or differently salted", () => {
    const ring = KeyRing.parse(`k1:${key()}`);
    const sealed = ring.sealer("auth", salt).seal(Buffer.from("secret"), "x");
    expect(() => ring.sealer("auth", randomBytes(16)).open(sealed, "x")).toThrow(TamperedValue);
    const changed = Uint8Array.from(sealed.box);
    changed[14]! ^= 1;
    expect(() => ring.sealer("auth", salt).open({ ...sealed, box: changed }, "x")).toThrow(TamperedValue);
    expect(() => ring.sealer("auth", salt).open({ ...sealed, box: sealed.box.subarray(0, 9) }, "x")).toThrow(
      TamperedValue,
    );
  });
});

test("refuses an invalid ring without printing a key", () => {
  const secret = key();
  for (const ring of ["", "nokey", `k1:${secret.slice(4)}`, `k1:${secret},k1:${secret}`]) {
    let message = "";
    try {
      KeyRing.parse(ring);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).not.toBe("");
    expect(message).not.toContain(secret.slice(4));
  }
});

test("verifies signatures by text, purpose and rotated keys", () => {
  const [first, second] = [key(), key()];
  const signer = KeyRing.parse(`k1:${first}`).signer("urls");
  const signature = signer.sign("a");
  expect(signature).toMatch(/^[\w.-]+$/);
  expect(signer.verify("a", signature)).toBeTrue();
  expect(signer.verify("b", signature)).toBeFalse();
  expect(KeyRing.parse(`k2:${second},k1:${first}`).signer("urls").verify("a", signature)).toBeTrue();
  expect(KeyRing.parse(`k1:${second}`).signer("urls").verify("a", signature)).toBeFalse();
  expect(KeyRing.parse(`k1:${first}`).signer("others").verify("a", signature)).toBeFalse();
  for (const garbage of [
    "",
    ".",
    "k1.",
    `k1.${signature.slice(3, -2)}`,
    `k9.${signature.slice(3)}`,
    "k1.ü",
    signature.slice(3),
  ]) {
    expect(signer.verify("a", garbage)).toBeFalse();
  }
});

describe("the nonce bound", () => {
  const keyIds = (sealer: { seal(plain: Uint8Array, context: string): { keyId: string } }, count: number) =>
    Array.from({ length: count }, () => sealer.seal(Buffer.from("x"), "c").keyId);

  test("a rotating sealer changes its subkey at the limit", () => {
    const ids = keyIds(KeyRing.parse(`k1:${key()}`).rotatingSealer("store", salt, 3), 7);
    expect(ids.map((id) => ids.indexOf(id))).toEqual([0, 0, 0, 3, 3, 3, 6]);
    for (const id of ids) expect(id).toMatch(/^k1\/[\w-]{8}$/);
  });

  test("two sealers of one store share no subkey", () => {
    const ring = KeyRing.parse(`k1:${key()}`);
    const [one, other] = [ring.rotatingSealer("store", salt), ring.rotatingSealer("store", salt)];
    expect(keyIds(one, 1)).not.toEqual(keyIds(other, 1));
  });

  test("values open under any subkey and under none", () => {
    const ring = KeyRing.parse(`k1:${key()}`);
    const sealer = ring.rotatingSealer("store", salt, 1);
    const values = Array.from({ length: 200 }, (_, n) => sealer.seal(Buffer.from(`${n}`), "c"));
    values.push(ring.sealer("store", salt).seal(Buffer.from("200"), "c"));
    const other = ring.rotatingSealer("store", salt);
    expect(values.map((value) => other.open(value, "c").toString())).toEqual(values.map((_, n) => `${n}`));
    expect(values.every(({ keyId }) => other.isCurrent(keyId))).toBeTrue();
  });

  test("a value does not open under another subkey", () => {
    const sealer = KeyRing.parse(`k1:${key()}`).rotatingSealer("store", salt, 1);
    const [one, two] = [sealer.seal(Buffer.from("x"), "c"), sealer.seal(Buffer.from("x"), "c")];
    expect(() => sealer.open({ keyId: one.keyId, box: two.box }, "c")).toThrow(TamperedValue);
    expect(() => sealer.open({ keyId: "k1", box: two.box }, "c")).toThrow(TamperedValue);
    expect(() => sealer.open({ ...one, keyId: `k2/${one.keyId.slice(3)}` }, "c")).toThrow(UnknownKey);
  });

  test("a sealer without subkeys refuses values above the limit", () => {
    const sealer = KeyRing.parse(`k1:${key()}`).sealer("object", salt, 2);
    keyIds(sealer, 2);
    expect(() => keyIds(sealer, 1)).toThrow(KeyExhausted);
  });
});

test("deriveRing keeps ids and order but no key", () => {
  const ring = `k2:${key()},k1:${key()}`;
  const derived = deriveRing(ring, "one");
  expect(derived.split(",").map((part) => part.slice(0, 3))).toEqual(["k2:", "k1:"]);
  expect(deriveRing(ring, "one")).toBe(derived);
  expect(deriveRing(ring, "two")).not.toBe(derived);
  const sealed = KeyRing.parse(ring).sealer("x", salt).seal(Buffer.from("x"), "c");
  expect(() => KeyRing.parse(derived).sealer("x", salt).open(sealed, "c")).toThrow(TamperedValue);
});
