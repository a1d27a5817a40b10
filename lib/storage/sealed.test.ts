import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { KeyRing } from "../core/key_ring.ts";
import { watchEventLoop } from "../runtime/event_loop.ts";
import { createSealedStore } from "./sealed.ts";
import type { ObjectStore } from "./store.ts";

const ring = () => KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);

function memory(): ObjectStore & { objects: Map<string, Buffer> } {
  const objects = new Map<string, Buffer>();
  return {
    objects,
    put: async (key, bytes) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of bytes) chunks.push(Buffer.from(chunk));
      objects.set(key, Buffer.concat(chunks));
    },
    get: async (key) => {
      const object = objects.get(key);
      return object ? { size: object.length, read: async (start, end) => object.subarray(start, end) } : null;
    },
    delete: async (key) => void objects.delete(key),
  };
}

async function* inChunks(content: Buffer, size: number) {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

const collected = (bytes: AsyncIterable<Uint8Array>) =>
  Array.fromAsync(bytes, (chunk) => Buffer.from(chunk)).then(Buffer.concat);

const segment = 64 * 1024;

describe("createSealedStore", () => {
  test.each([0, 1, segment - 1, segment, segment + 1, 16 * segment, 16 * segment + 1, 40 * segment + 17])(
    "round-trips %i bytes in chunks of any size",
    async (size) => {
      const store = memory();
      const sealed = createSealedStore(store, ring());
      const content = randomBytes(size);
      for (const chunk of [1_000, segment, 1_000_003]) {
        await sealed.put("one", inChunks(content, chunk));
        const object = (await sealed.get("one"))!;
        expect(object.size).toBe(size);
        expect(Buffer.compare(await collected(object.bytes()), content)).toBe(0);
      }
    },
  );

  test("reads any range", async () => {
    const sealed = createSealedStore(memory(), ring());
    const content = randomBytes(20 * segment + 5);
    await sealed.put("one", inChunks(content, 10_000));
    const object = (await sealed.get("one"))!;
    for (const [start, end] of [
      [0, 1],
      [segment - 1, segment + 1],
      [5, 19 * segment],
      [20 * segment, 20 * segment + 5],
      [3 * segment, 4 * segment],
    ]) {
      expect(Buffer.compare(await collected(object.bytes(start, end)), content.subarray(start, end))).toBe(0);
    }
  });

  describe("refuses an object", () => {
    const content = randomBytes(5 * segment);
    const stored = async (tamper: (object: Buffer) => Buffer, keys = ring()) => {
      const store = memory();
      await createSealedStore(store, keys).put("one", inChunks(content, 50_000));
      store.objects.set("one", tamper(store.objects.get("one")!));
      return async (opener = keys) => collected((await createSealedStore(store, opener).get("one"))!.bytes());
    };
    const box = segment + 28;

    test.each<[string, (object: Buffer) => Buffer]>([
      ["with a bit flipped", (object) => ((object[200_000]! ^= 1), object)],
      ["truncated at the end of a segment", (object) => object.subarray(0, 64 + 3 * box)],
      ["truncated within a segment", (object) => object.subarray(0, -7)],
      ["truncated after its header", (object) => object.subarray(0, 64)],
      ["truncated within its header", (object) => object.subarray(0, 20)],
      [
        "with two segments swapped",
        (object) =>
          Buffer.concat([
            object.subarray(0, 64),
            object.subarray(64 + box, 64 + 2 * box),
            object.subarray(64, 64 + box),
            object.subarray(64 + 2 * box),
          ]),
      ],
      ["with trailing bytes", (object) => Buffer.concat([object, randomBytes(100)])],
      ["that was never sealed", () => content],
      ["with another salt", (object) => ((object[10]! ^= 1), object)],
    ])("%s", async (_, tamper) => {
      await expect((await stored(tamper))()).rejects.toThrow();
    });

    test("under other keys", async () => {
      await expect((await stored((object) => object))(ring())).rejects.toThrow();
    });

    test("under another name", async () => {
      const store = memory();
      const sealed = createSealedStore(store, ring());
      await sealed.put("of/one", inChunks(content, 50_000));
      store.objects.set("of/another", store.objects.get("of/one")!);
      await expect(collected((await sealed.get("of/another"))!.bytes())).rejects.toThrow();
    });
  });

  test("stores no plaintext", async () => {
    const store = memory();
    await createSealedStore(store, ring()).put("one", inChunks(Buffer.from("attack at dawn ".repeat(10_000)), 999));
    expect(store.objects.get("one")!.includes("attack")).toBeFalse();
  });

  test("opens old objects after a key rotation", async () => {
    const [first, second] = [randomBytes(32).toString("base64"), randomBytes(32).toString("base64")];
    const store = memory();
    await createSealedStore(store, KeyRing.parse(`k1:${first}`)).put("one", inChunks(Buffer.from("old"), 10));
    const rotated = createSealedStore(store, KeyRing.parse(`k2:${second},k1:${first}`));
    await rotated.put("two", inChunks(Buffer.from("new"), 10));
    expect((await collected((await rotated.get("one"))!.bytes())).toString()).toBe("old");
    await expect(
      createSealedStore(store, KeyRing.parse(`k1:${first}`))
        .get("two")
        .then((o) => collected(o!.bytes())),
    ).rejects.toThrow();
  });

  test("reads at most 256 KiB ahead", async () => {
    const store = memory();
    let largestRead = 0;
    const watched: ObjectStore = {
      ...store,
      get: async (key) => {
        const object = (await store.get(key))!;
        const read = (start: number, end: number) => {
          largestRead = Math.max(largestRead, end - start);
          return object.read(start, end);
        };
        return { ...object, read };
      },
    };
    const sealed = createSealedStore(watched, ring());
    await sealed.put("x", inChunks(Buffer.alloc(64 * segment), 2 * segment));
    const bytes = (await sealed.get("x"))!.bytes();
    await bytes.next();
    expect(largestRead).toBeGreaterThan(0);
    expect(largestRead).toBeLessThanOrEqual(4 * (segment + 28));
  });

  test("300 readers do not block the event loop", async () => {
    const sealed = createSealedStore(memory(), ring());
    await sealed.put("x", inChunks(Buffer.alloc(16 * segment), segment));
    const watch = watchEventLoop();
    try {
      const sizes = await Promise.all(
        Array.from({ length: 300 }, async () => {
          let size = 0;
          for await (const chunk of (await sealed.get("x"))!.bytes()) size += chunk.length;
          return size;
        }),
      );
      expect(new Set(sizes)).toEqual(new Set([16 * segment]));
      expect(watch.take().blockMs).toBeLessThan(100);
    } finally {
      watch.stop();
    }
  });
});
