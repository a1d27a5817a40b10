import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { packLogin, unpackLogin } from "./bundle.ts";
import type { Login } from "./bundle.ts";
import { MoveKeys } from "./move_keys.ts";

const order = { move_id: "m", fence: 3, from: 1, to: 2 };
const login: Login = {
  auth: [
    ["creds", randomBytes(5_000)],
    ["session:ü", Buffer.from("a secret key")],
    ["empty", new Uint8Array()],
  ],
  ledger: [
    {
      wa_message_id: "3EB0A",
      at: 1,
      chat: "1@s.whatsapp.net",
      body: Buffer.from("a secret text"),
      recipients: 2,
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
      recipients: null,
      result: null,
      result_at: null,
      error_code: null,
      error_message: null,
    },
  ],
  kept: [{ purpose: "original", wa_message_id: "3A01", at: 4, body: Buffer.from("a secret of a message") }],
};

/** A receiver that offered a key for the order. */
function offer(keys = new MoveKeys()) {
  const receiver = keys.offer("b", order);
  return { receiver, key: keys.get("b", order)! };
}

describe("a bundle", () => {
  test("opens as it was packed and shows nothing", () => {
    const { receiver, key } = offer();
    const bundle = packLogin(login, "b", order, receiver);
    const { auth, ledger, kept } = unpackLogin(bundle, "b", order, key);
    expect(auth!.map(([name, value]) => [name, Buffer.from(value).toString("hex")])).toEqual(
      login.auth!.map(([name, value]) => [name, Buffer.from(value).toString("hex")]),
    );
    expect(ledger).toEqual(login.ledger);
    expect(kept).toEqual(login.kept);
    for (const plain of ["a secret text", "a secret key", "a secret of a message", "3EB0A", "s.whatsapp.net"])
      expect(Buffer.from(bundle).includes(plain)).toBeFalse();
  });

  test("may have no login", () => {
    const { receiver, key } = offer();
    const bundle = packLogin({ auth: null, ledger: [], kept: [] }, "b", order, receiver);
    expect(unpackLogin(bundle, "b", order, key)).toEqual({ auth: null, ledger: [], kept: [] });
  });

  test("opens only for its own business and move", () => {
    const { receiver, key } = offer();
    const bundle = packLogin(login, "b", order, receiver);
    expect(() => unpackLogin(bundle, "c", order, key)).toThrow("does not open");
    for (const other of [{ move_id: "n" }, { fence: 4 }, { from: 2 }, { to: 3 }]) {
      expect(() => unpackLogin(bundle, "b", { ...order, ...other }, key)).toThrow("does not open");
    }
  });

  test("opens only with the receiver's last key", () => {
    const keys = new MoveKeys();
    const first = offer(keys);
    const bundle = packLogin(login, "b", order, first.receiver);
    expect(() => unpackLogin(bundle, "b", order, offer().key)).toThrow("does not open");
    expect(() => unpackLogin(bundle, "b", order, offer(keys).key)).toThrow("does not open");
    keys.forget("b", order);
    expect(keys.get("b", order)).toBeUndefined();
  });

  test("is refused when altered, cut or foreign", () => {
    const { receiver, key } = offer();
    const bundle = packLogin(login, "b", order, receiver);
    for (const at of [10, 30, 100, bundle.length - 1]) {
      const altered = new Uint8Array(bundle);
      altered[at]! ^= 1;
      expect(() => unpackLogin(altered, "b", order, key)).toThrow("does not open");
    }
    for (const length of [0, 3, 20, 40, bundle.length - 1]) {
      expect(() => unpackLogin(bundle.subarray(0, length), "b", order, key)).toThrow();
    }
    expect(() => unpackLogin(randomBytes(500), "b", order, key)).toThrow("no bundle");
  });

  test("is not sealed for a key of low order", () => {
    expect(() => packLogin(login, "b", order, new Uint8Array(32))).toThrow("no X25519 key");
  });
});

describe("move keys", () => {
  test("are dropped oldest first", () => {
    const keys = new MoveKeys();
    const orders = Array.from({ length: 257 }, (_, fence) => ({ ...order, fence }));
    for (const each of orders) keys.offer("b", each);
    expect(keys.get("b", orders[0]!)).toBeUndefined();
    expect(keys.get("b", orders[1]!)).toBeDefined();
  });
});
