import { describe, expect, spyOn, test } from "bun:test";
import { ProtocolAddress, SessionBuilder, SessionCipher } from "libsignal";
import { randomBytes } from "node:crypto";
import { until } from "../testing/until.ts";
import { party } from "./signal_party.fixture.ts";

// Tests of the defects in libsignal that lib/patches fixes. They fail if the patches are not applied.

describe("libsignal", () => {
  test("keeps the newer session after an older session's message", async () => {
    const [ada, bob] = [party(), party()];
    const [toAda, toBob] = [new ProtocolAddress("ada", 1), new ProtocolAddress("bob", 1)];
    const adaCipher = new SessionCipher(ada.storage, toBob);
    const bobCipher = new SessionCipher(bob.storage, toAda);
    const receive = async (cipher: SessionCipher, { type, body }: { type: number; body: unknown }) =>
      (type === 3
        ? await cipher.decryptPreKeyWhisperMessage(body as Buffer)
        : await cipher.decryptWhisperMessage(body as Buffer)
      ).toString();

    // Both sides have used the first Signal session.
    await new SessionBuilder(ada.storage, toBob).initOutgoing(bob.bundle(1));
    expect(await receive(bobCipher, await adaCipher.encrypt(Buffer.from("1")))).toBe("1");
    expect(await receive(adaCipher, await bobCipher.encrypt(Buffer.from("2")))).toBe("2");
    // Ada starts a second one while Bob's answers on the first are in flight.
    const inFlight = [await bobCipher.encrypt(Buffer.from("3")), await bobCipher.encrypt(Buffer.from("4"))];
    // libsignal first tries the session that was used last, with a resolution of 1 ms.
    const usedAt = Date.now();
    await until(() => Date.now() > usedAt, { everyMs: 1 });
    await new SessionBuilder(ada.storage, toBob).initOutgoing(bob.bundle(2));
    const before = await adaCipher.encrypt(Buffer.from("5"));
    for (const message of inFlight) expect(["3", "4"]).toContain(await receive(adaCipher, message));
    const after = await adaCipher.encrypt(Buffer.from("6"));
    expect(await receive(bobCipher, before)).toBe("5");
    expect(await receive(bobCipher, after)).toBe("6");
  });

  test("distinguishes a repeated message from an undecryptable one", async () => {
    const [ada, bob] = [party(), party()];
    const [toAda, toBob] = [new ProtocolAddress("ada", 1), new ProtocolAddress("bob", 1)];
    const [adaCipher, bobCipher] = [new SessionCipher(ada.storage, toBob), new SessionCipher(bob.storage, toAda)];
    // Two Signal sessions; both sides have used the newer one.
    for (const keyId of [1, 2]) {
      await new SessionBuilder(ada.storage, toBob).initOutgoing(bob.bundle(keyId));
      await bobCipher.decryptPreKeyWhisperMessage(
        (await adaCipher.encrypt(Buffer.from("hello"))).body as unknown as Buffer,
      );
      await adaCipher.decryptWhisperMessage((await bobCipher.encrypt(Buffer.from("hello"))).body as unknown as Buffer);
    }
    const message = (await adaCipher.encrypt(Buffer.from("once"))).body as unknown as Buffer;
    expect((await bobCipher.decryptWhisperMessage(message)).toString()).toBe("once");
    await expect(bobCipher.decryptWhisperMessage(message)).rejects.toThrow("Key used already");
    const garbage = Buffer.concat([Buffer.from([0x33]), randomBytes(60)]);
    await expect(bobCipher.decryptWhisperMessage(garbage)).rejects.toThrow("No matching sessions");
  });

  test("does not print sessions with their private keys", async () => {
    const spies = (["log", "info", "warn", "error", "debug"] as const).map((method) =>
      spyOn(console, method).mockImplementation(() => {}),
    );
    const [ada, bob] = [party(), party()];
    const [toAda, toBob] = [new ProtocolAddress("ada", 1), new ProtocolAddress("bob", 1)];
    const bobCipher = new SessionCipher(bob.storage, toAda);
    // libsignal keeps 40 closed sessions and removes the others.
    for (let i = 1; i <= 50; i++) {
      await new SessionBuilder(ada.storage, toBob).initOutgoing(bob.bundle(i));
      const { body } = await new SessionCipher(ada.storage, toBob).encrypt(Buffer.from("hello"));
      await bobCipher.decryptPreKeyWhisperMessage(body as unknown as Buffer);
    }
    await expect(
      bobCipher.decryptWhisperMessage(Buffer.concat([Buffer.from([0x33]), randomBytes(60)])),
    ).rejects.toThrow();
    const printed = spies.flatMap((spy) => spy.mock.calls);
    for (const spy of spies) spy.mockRestore();
    expect(printed).toEqual([]);
  });
});
