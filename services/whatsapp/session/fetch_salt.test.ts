import { beforeEach, describe, expect, test } from "bun:test";
import { initAuthCreds } from "@whiskeysockets/baileys";
import pino from "pino";
import { ContactSalt, saltRetryMs } from "../sending/contact_salt.ts";
import { fetchSalt } from "./fetch_salt.ts";

const logger = pino({ enabled: false });
let entries: Map<string, Buffer>;
let version: unknown;
let keyId: string | undefined;
let fetches: number;

const contactSalt = new ContactSalt(() => ({
  read: (name) => entries.get(name),
  write: (changes) => {
    for (const [name, value] of changes) entries.set(name, Buffer.from(value!));
  },
}));
const creds = initAuthCreds();
const open = (resync: () => Promise<void> = () => Promise.resolve()) =>
  fetchSalt(
    {
      resyncAppState: () => {
        fetches++;
        return resync();
      },
    },
    {
      auth: { creds: { ...creds, ...(keyId === undefined ? {} : { myAppStateKeyId: keyId }) }, lookUp: () => version },
      contactSalt,
      logger,
      unlessOver: (handle) => handle(),
    },
  );
const isDueAfter = (ms: number) => contactSalt.isDue(Date.now() + ms);

beforeEach(() => {
  entries = new Map();
  version = { version: 1 };
  keyId = "a key";
  fetches = 0;
});

describe("fetchSalt", () => {
  test("waits for the key of the app state", async () => {
    keyId = undefined;
    await open();
    expect(fetches).toBe(0);
    keyId = "a key";
    await open();
    expect(fetches).toBe(1);
  });

  test("fetches once", async () => {
    await open();
    expect(isDueAfter(2 * saltRetryMs)).toBeFalse();
  });

  test.each([
    ["a failure", () => Promise.reject(new Error("no answer"))],
    ["a collection that was not decoded", () => Promise.resolve()],
  ])("retries after %s, hours later", async (_, resync) => {
    version = undefined;
    await open(resync);
    await open(resync);
    expect(fetches).toBe(1);
    expect(isDueAfter(saltRetryMs - 60_000)).toBeFalse();
    expect(isDueAfter(saltRetryMs)).toBeTrue();
  });

  test("records a fetch before its end", async () => {
    void open(() => new Promise(() => {}));
    await open();
    expect(fetches).toBe(1);
  });
});
