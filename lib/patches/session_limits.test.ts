import { beforeEach, describe, expect, spyOn, test } from "bun:test";
import { ProtocolAddress, SessionBuilder, SessionCipher } from "libsignal";
import crypto, { createHmac } from "node:crypto";
import { party } from "./signal_party.fixture.ts";

// The limits of a Signal record: the sender chooses the counters, the ratchet steps and the sessions in it.

type Encrypted = { type: number; body: Buffer };
type Chain = { chainType: number; chainKey: { counter: number; key: string }; messageKeys: Record<string, string> };
type Session = { _chains: Record<string, Chain>; indexInfo: { closed: number } };
type Stored = { _sessions: Record<string, Session> };

const [sending, receiving] = [1, 2];
const [toAda, toBob] = [new ProtocolAddress("ada", 1), new ProtocolAddress("bob", 1)];
let ada: ReturnType<typeof party>;
let bob: ReturnType<typeof party>;

beforeEach(() => {
  ada = party();
  bob = party();
});

const open = (keyId: number) => new SessionBuilder(ada.storage, toBob).initOutgoing(bob.bundle(keyId));
const encrypt = async (from: typeof ada, to: ProtocolAddress, text: string) =>
  (await new SessionCipher(from.storage, to).encrypt(Buffer.from(text))) as unknown as Encrypted;
const decrypt = async (at: typeof ada, from: ProtocolAddress, { type, body }: Encrypted) => {
  const cipher = new SessionCipher(at.storage, from);
  const plaintext = await (type === 3 ? cipher.decryptPreKeyWhisperMessage(body) : cipher.decryptWhisperMessage(body));
  return plaintext.toString();
};
const write = (text: string) => encrypt(ada, toBob, text);
const read = (message: Encrypted) => decrypt(bob, toAda, message);
const answer = async () => decrypt(ada, toBob, await encrypt(bob, toAda, "answer"));

/** Advances the sending chain of Ada's open session as if she had written that number of messages. */
function skip(count: number): void {
  const record = JSON.parse(ada.records.get(toBob.toString())!) as Stored;
  const session = Object.values(record._sessions).find(({ indexInfo }) => indexInfo.closed === -1)!;
  const { chainKey } = Object.values(session._chains).find(({ chainType }) => chainType === sending)!;
  let key = Buffer.from(chainKey.key, "base64");
  for (let n = 0; n < count; n++) key = createHmac("sha256", key).update(Buffer.from([2])).digest();
  chainKey.key = key.toString("base64");
  chainKey.counter += count;
  ada.records.set(toBob.toString(), JSON.stringify(record));
}

const recordBytes = () => bob.records.get(toAda.toString())!.length;
const chains = () =>
  Object.values((JSON.parse(bob.records.get(toAda.toString())!) as Stored)._sessions).flatMap((session) =>
    Object.values(session._chains).filter(({ chainType }) => chainType === receiving),
  );
const skippedKeys = () => chains().reduce((sum, { messageKeys }) => sum + Object.keys(messageKeys).length, 0);

describe("the record of a hostile sender", () => {
  test("stays small over many sessions with skipped messages", async () => {
    for (let keyId = 1; keyId <= 45; keyId++) {
      await open(keyId);
      skip(1_999);
      expect(await read(await write("x"))).toBe("x");
    }
    expect(skippedKeys()).toBe(2_000);
    expect(recordBytes()).toBeLessThan(256 * 1024);
  }, 30_000);

  test("stays small over many ratchet steps", async () => {
    await open(1);
    for (let step = 0; step < 30; step++) {
      skip(500);
      expect(await read(await write("x"))).toBe("x");
      await answer();
    }
    expect(chains()).toHaveLength(5);
    expect(skippedKeys()).toBe(2_000);
    expect(recordBytes()).toBeLessThan(256 * 1024);
  });

  test("loses the oldest skipped keys", async () => {
    await open(1);
    const oldest = await write("oldest");
    skip(1_000);
    const newer = await write("newer");
    await read(await write("x"));
    skip(998);
    await read(await write("x"));
    expect(skippedKeys()).toBe(2_000);
    skip(1);
    await read(await write("x"));
    expect(skippedKeys()).toBe(2_000);
    await expect(read(oldest)).rejects.toThrow("Key used already");
    expect(await read(newer)).toBe("newer");
  });
});

/** Reads a message and counts the derivations of keys, in total and in the turn of the event loop with the most. */
async function countDerivations(reading: () => Promise<string>) {
  let [turn, most, total] = [0, 0, 0];
  const derive = crypto.createHmac;
  const spy = spyOn(crypto, "createHmac").mockImplementation((...of) => {
    most = Math.max(most, ++turn);
    total++;
    return derive(...of);
  });
  const nextTurn = () => {
    turn = 0;
    timer = setImmediate(nextTurn);
  };
  let timer = setImmediate(nextTurn);
  try {
    return { outcome: await reading().catch(String), most, total };
  } finally {
    clearImmediate(timer);
    spy.mockRestore();
  }
}

describe("a message whose session is not named", () => {
  /** Fills Bob's record; each session has one message. */
  const openMany = async () => {
    for (let keyId = 2; keyId <= 40; keyId++) {
      await open(keyId);
      await read(await write("x"));
    }
  };
  /** A message of a session that Bob never had. */
  const forge = async (counter: number) => {
    const kept = [new Map(ada.records), new Map(bob.records)] as const;
    await open(50);
    await read(await write("x"));
    await answer();
    skip(counter);
    const forged = await write("forged");
    for (const [n, of] of [ada, bob].entries()) for (const [id, record] of kept[n]!) of.records.set(id, record);
    return forged;
  };

  test("blocks the event loop for one session", async () => {
    await openMany();
    const forged = await forge(200);
    const { outcome, most, total } = await countDerivations(() => read(forged));
    expect(outcome).toContain("No matching sessions found");
    expect(total).toBeGreaterThan(39 * 400);
    expect(most).toBeLessThan(2 * 450);
  });

  test("derives a bounded number of keys", async () => {
    await openMany();
    const { outcome, total } = await countDerivations(async () => read(await forge(1_999)));
    expect(outcome).toContain("No matching sessions found");
    expect(total).toBeLessThan(2 * 14_000);
  });

  test("is tried only on the session with its chain", async () => {
    await open(1);
    await read(await write("x"));
    await answer();
    const late = await write("late");
    await read(await write("x"));
    await openMany();
    const { outcome, total } = await countDerivations(() => read(late));
    expect(outcome).toBe("late");
    expect(total).toBeLessThan(20);
  });

  test("decrypts with the oldest session after a ratchet step", async () => {
    await open(1);
    await read(await write("x"));
    await answer();
    skip(200);
    const late = await write("late");
    await openMany();
    expect(await read(late)).toBe("late");
  });
});

describe("messages out of order", () => {
  test("decrypt across a gap and in reverse", async () => {
    await open(1);
    const texts = Array.from({ length: 100 }, (_, n) => `${n}`);
    const messages = await Array.fromAsync(texts, write);
    skip(1_000);
    expect(await read(await write("after the gap"))).toBe("after the gap");
    expect(await Array.fromAsync(messages.toReversed(), read)).toEqual(texts.toReversed());
  });

  test("decrypt late from the five latest chains", async () => {
    await open(1);
    const late: Encrypted[] = [];
    for (const text of ["1", "2", "3", "4", "5"]) {
      late.push(await write(text));
      await read(await write("x"));
      await answer();
    }
    expect(await Array.fromAsync(late.toReversed(), read)).toEqual(["5", "4", "3", "2", "1"]);
  });

  test("decrypt late from a closed session", async () => {
    await open(1);
    const late = await write("late");
    await read(await write("x"));
    await open(2);
    skip(1_000);
    await read(await write("x"));
    expect(await read(late)).toBe("late");
  });
});
