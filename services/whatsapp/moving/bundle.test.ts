import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { packLogin, unpackLogin } from "./bundle.ts";
import type { Login } from "./bundle.ts";

const key = (id: string) => `${id}:${randomBytes(32).toString("base64")}`;
const k1 = key("k1");
const ring = KeyRing.parse(k1);
const order = { move_id: "m", fence: 3, from: 1, to: 2 };
const login: Login = {
  auth: randomBytes(5_000),
  ledger: [
    {
      wa_message_id: "3EB0A",
      at: 1,
      chat: "1@s.whatsapp.net",
      body: Buffer.from("a secret text"),
      result: "sent",
      result_at: 2,
      error_code: null,
      error_message: null,
    },
    {
      wa_message_id: "3EB0B",
      at: 3,
      chat: "1@s.whatsapp.net",
      body: Buffer.from([0, 255]),
      result: null,
      result_at: null,
      error_code: null,
      error_message: null,
    },
  ],
};

test("what was packed comes out as it was, and nothing of it can be read on the way", () => {
  const bundle = packLogin(login, "b", order, ring);
  const { auth, ledger } = unpackLogin(bundle, "b", order, ring);
  expect(Buffer.from(auth!).equals(Buffer.from(login.auth!))).toBeTrue();
  expect(ledger).toEqual(login.ledger);
  for (const plain of ["a secret text", "3EB0A", "s.whatsapp.net"]) expect(Buffer.from(bundle).includes(plain)).toBeFalse();
});

test("a business without a login is an empty bundle", () => {
  expect(unpackLogin(packLogin({ auth: null, ledger: [] }, "b", order, ring), "b", order, ring)).toEqual({ auth: null, ledger: [] });
});

test("a bundle opens for its own business and move alone", () => {
  const bundle = packLogin(login, "b", order, ring);
  expect(() => unpackLogin(bundle, "c", order, ring)).toThrow("does not open");
  for (const other of [{ move_id: "n" }, { fence: 4 }, { from: 2 }, { to: 3 }]) {
    expect(() => unpackLogin(bundle, "b", { ...order, ...other }, ring)).toThrow("does not open");
  }
});

test("an altered, cut or foreign bundle is refused", () => {
  const bundle = packLogin(login, "b", order, ring);
  for (const at of [30, 100, bundle.length - 1]) {
    const altered = new Uint8Array(bundle);
    altered[at]! ^= 1;
    expect(() => unpackLogin(altered, "b", order, ring)).toThrow("does not open");
  }
  for (const length of [0, 3, 20, 40, bundle.length - 1]) expect(() => unpackLogin(bundle.subarray(0, length), "b", order, ring)).toThrow();
  expect(() => unpackLogin(randomBytes(500), "b", order, ring)).toThrow("no bundle");
});

test("a ring that was rotated meanwhile opens it as long as it holds the old key", () => {
  const bundle = packLogin(login, "b", order, ring);
  expect(unpackLogin(bundle, "b", order, KeyRing.parse(`${key("k2")},${k1}`)).ledger).toHaveLength(2);
  expect(() => unpackLogin(bundle, "b", order, KeyRing.parse(key("k2")))).toThrow('no key of the id "k1"');
});
