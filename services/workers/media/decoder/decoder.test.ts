import { describe, expect, test } from "bun:test";
import sharp from "sharp";
import { createDecoder } from "./decoder.ts";
import { decoderLimits, isDescribable, maxEncodedBytes } from "./limits.ts";
import type { DecoderLimits } from "./limits.ts";
import { until } from "../../../../lib/testing/until.ts";

/** Below maxDecodedBytes: 75 MB of pixels in a file of 25 KB. */
const sides = 5_000;
const flat = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: "#2a7" } });

async function* once(...chunks: Uint8Array[]) {
  yield* chunks;
}

async function decode(
  bytes: AsyncIterable<Uint8Array>,
  mime: string,
  changes: Partial<DecoderLimits> = {},
  signal?: AbortSignal,
) {
  const decoder = createDecoder({ ...decoderLimits, ...changes });
  const result = await decoder.withSlot("business", 1_000, async (run) => ({
    decoded: await run(bytes, mime, signal),
  }));
  return result!.decoded;
}

describe("decoder", () => {
  test.each(["jpeg", "png", "webp", "gif"] as const)("describes a %s", async (format) => {
    const content = await flat(640, 400).toFormat(format).toBuffer();
    const decoded = await decode(once(content.subarray(0, 100), content.subarray(100)), `image/${format}`);
    expect(decoded).toMatchObject({ width: 640, height: 400 });
    expect(await sharp(Buffer.from(decoded!.thumbnail!, "base64")).metadata()).toMatchObject({
      format: "jpeg",
      width: 320,
    });
    expect(await sharp(Buffer.from(decoded!.preview!, "base64")).metadata()).toMatchObject({
      format: "jpeg",
      width: 72,
    });
  });

  test("describes the largest photos of phones within its limits", async () => {
    const content = await flat(5_712, 4_284).jpeg().toBuffer();
    expect(await decode(once(content), "image/jpeg")).toMatchObject({ width: 5_712, height: 4_284 });
  });

  test("refuses a picture by the size in its header", async () => {
    const content = await flat(7_071, 7_071).png().toBuffer();
    expect(content.length).toBeLessThan(1_000_000);
    expect(await decode(once(content), "image/png")).toBeNull();
  });

  test("has no loader for formats other than its four", async () => {
    const avif = await flat(64, 64).avif({ effort: 0 }).toBuffer();
    const tiff = await flat(64, 64).tiff().toBuffer();
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    for (const content of [avif, tiff, svg]) expect(await decode(once(content), "image/png")).toBeNull();
    expect(isDescribable({ mime: "image/avif", size: 1_000 })).toBeFalse();
    expect(isDescribable({ mime: "image/svg+xml", size: 1_000 })).toBeFalse();
    expect(isDescribable({ mime: "image/png", size: maxEncodedBytes + 1 })).toBeFalse();
  });

  test("survives a child that exceeds its memory", async () => {
    // Interlaced: the decoder needs every pixel at once.
    const content = await flat(sides, sides).png({ progressive: true }).toBuffer();
    expect(await decode(once(content), "image/png")).toMatchObject({ width: sides });
    expect(await decode(once(content), "image/png", { dataBytes: 300 * 1024 * 1024 })).toBeNull();
  });

  test("kills a child that exceeds its time", async () => {
    const hang = new Promise<void>(() => {});
    async function* stalled() {
      yield new Uint8Array(10);
      await hang;
    }
    expect(await decode(stalled(), "image/png", { timeoutMs: 300 })).toBeNull();
  });

  test.each([
    ["random bytes", "image/png", Buffer.alloc(5_000, "PNG?")],
    ["nothing", "image/jpeg", Buffer.alloc(0)],
    ["random audio", "audio/mpeg", Buffer.alloc(50_000, 0x55)],
    ["random video", "video/mp4", Buffer.from("000000186674797069736f6d00000200", "hex")],
  ])("finds nothing in %s", async (_, mime, content) => {
    const decoded = await decode(once(content), mime);
    expect(decoded === null || Object.keys(decoded).length === 0).toBeTrue();
  });

  test("finds nothing in a truncated picture", async () => {
    const content = await flat(640, 400).jpeg().toBuffer();
    expect(await decode(once(content.subarray(0, 200)), "image/jpeg")).toBeNull();
  });

  test("throws what the source throws", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      throw new Error("the store is unavailable");
    }
    await expect(decode(broken(), "image/png")).rejects.toThrow("the store is unavailable");
  });

  test("throws the reason of its signal", async () => {
    const abort = new AbortController();
    async function* aborting() {
      yield new Uint8Array(10);
      abort.abort(new Error("stopping"));
    }
    await expect(decode(aborting(), "image/png", {}, abort.signal)).rejects.toThrow("stopping");
  });

  test("passes no secret to its child", async () => {
    process.env["DECODER_TEST_SECRET"] = "secret";
    let environment = "";
    async function* reading() {
      yield new Uint8Array(10);
      // A child that has not executed its program yet shows no environment.
      await until(
        async () => {
          const children = await Bun.file(`/proc/self/task/${process.pid}/children`).text();
          const pids = children.trim().split(" ");
          const read = pids.map((pid) =>
            Bun.file(`/proc/${pid}/environ`)
              .text()
              .catch(() => ""),
          );
          environment = (await Promise.all(read)).join("\0");
          return environment.includes("PATH=");
        },
        { what: "the child's environment", everyMs: 5 },
      );
    }
    await decode(reading(), "image/png");
    delete process.env["DECODER_TEST_SECRET"];
    expect(environment).toContain("PATH=");
    expect(environment).not.toContain("DECODER_TEST_SECRET");
  });
});
