import { beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import sharp from "sharp";
import { getMedia } from "../../../lib/db/index.ts";
import { maxBytes } from "../../../lib/media/index.ts";
import type { MediaKind } from "../../../lib/media/index.ts";
import { createMediaQuota } from "../../../lib/quotas/index.ts";
import { trustedCertificate } from "../../../lib/testing/certificate.ts";
import { until } from "../../../lib/testing/until.ts";
import { control } from "../../whatsapp/testing/shard_under_test.ts";
import { picture, sha256, useMediaStage } from "../testing/media.ts";

const stage = useMediaStage();
const { contentOf, keep, placed, scope, store, write } = stage;

const deadEnds = async (body: object, error: string) => {
  const settled = await write(body);
  // An attempt that is due in minutes is due now.
  const hurry = setInterval(
    () =>
      void stage.workers.database
        .owner`update media_fetches set next_attempt_at = date_trunc('milliseconds', now())`.then(async () =>
        stage.workers.producer.wake("fetch_media", { business_id: stage.business }, { expedite: true }),
      ),
    200,
  );
  try {
    expect((await settled()).media).toMatchObject({ error });
  } finally {
    clearInterval(hurry);
  }
};

describe("fetch_media", () => {
  test("stores and describes a picture and announces it", async () => {
    const content = await picture();
    const endpoint = await stage.workers.endpoint(stage.business);
    const settled = await write({
      type: "image",
      media: { file: content.toString("base64"), mime: "image/jpeg" },
      caption: "look",
    });
    const { media, ...rest } = await settled();
    expect(rest).toMatchObject({ type: "image", caption: "look" });
    expect(media).toEqual({ id: expect.any(String), mime: "image/png", size: content.length, width: 640, height: 400 });
    expect(sha256(await contentOf(media.id!))).toBe(sha256(content));
    const row = (await getMedia(scope(), media.id!))!;
    expect(row.sha256).toBe(sha256(content));
    const thumbnail = Buffer.concat(await Array.fromAsync((await store.get(row.thumbnail_key!))!.bytes()));
    expect(await sharp(thumbnail).metadata()).toMatchObject({ format: "jpeg", width: 320, height: 200 });

    const told = await until(
      async () =>
        (await stage.workers.deliveries(endpoint.id))
          .map(({ payload }) => JSON.parse(payload))
          .find(({ type }) => type === "message.media"),
      { what: "the event" },
    );
    expect(told.data).toMatchObject({
      business_id: stage.business,
      type: "image",
      media: { id: media.id, status: "available", mime: "image/png" },
    });
    expect(told.data.media.url).toStartWith(`https://api.example/v1/files/${stage.business}/${media.id}/content?`);
    const received = (await stage.workers.deliveries(endpoint.id))
      .map(({ payload }) => JSON.parse(payload))
      .find(({ type }) => type === "message.received");
    expect(received.data.content.media).toMatchObject({ id: null, status: "pending" });
    expect(JSON.stringify([told, received])).not.toContain("media_key");
  });

  test.each<[MediaKind, object]>([
    ["video", {}],
    ["audio", { voice: true }],
    ["document", { file_name: "menu.pdf", caption: "the menu" }],
    ["sticker", {}],
  ])("fetches a %s byte for byte", async (type, more) => {
    const content = randomBytes(300_001);
    const settled = await write({
      type,
      media: { file: content.toString("base64"), mime: "application/x-any" },
      ...more,
    });
    const { media, ...rest } = await settled();
    expect(rest).toMatchObject({ type, ...more });
    expect(sha256(await contentOf(media.id!))).toBe(sha256(content));
  });

  test("stores the same file of two senders once", async () => {
    const file = (await picture()).toString("base64");
    const both = await Promise.all(
      [1, 2].map(async () => (await write({ type: "image", media: { file, mime: "image/png" } }))()),
    );
    expect(new Set(both.map(({ media }) => media.id)).size).toBe(1);
  });

  test("refuses files beyond the media quota", async () => {
    const { quota } = stage.mediaDeps;
    stage.mediaDeps.quota = createMediaQuota(stage.workers.database.db, 1);
    try {
      const file = await picture();
      const settled = await write({
        type: "image",
        media: { file: file.toString("base64"), mime: "image/png" },
        caption: "full",
      });
      const { media, ...rest } = await settled();
      expect(rest).toMatchObject({ type: "image", caption: "full" });
      expect(media).toMatchObject({ error: "quota_exceeded" });
      expect(media.id).toBeUndefined();
      expect(await stage.workers.database.owner`select from media where sha256 = ${sha256(file)}`).toHaveLength(0);
    } finally {
      stage.mediaDeps.quota = quota;
    }
  });
});

describe("describe_media", () => {
  let bomb: Buffer;
  beforeAll(async () => {
    const create = { width: 7_071, height: 7_071, channels: 3, background: "#2a7" } as const;
    bomb = await sharp({ create }).avif({ effort: 0 }).toBuffer();
  });

  test.each(["image", "document"])("an AVIF bomb sent as %s gets no description", async (type) => {
    const settled = await write({ type, media: { file: bomb.toString("base64"), mime: "image/avif" } });
    const { media } = await settled();
    expect(media).toEqual({ id: expect.any(String), mime: "image/avif", size: bomb.length });
    const row = (await getMedia(scope(), media.id!))!;
    expect(row).toMatchObject({ width: null, thumbnail_key: null, described_at: expect.any(Date) });
  });

  test("gives up after the last attempt", async () => {
    const content = await picture();
    const kept = await keep(content);
    await stage.workers.database.owner`update media set describe_attempts = 3 where id = ${kept.id}`;
    await stage.workers.producer.wake("describe_media", { business_id: stage.business });
    const described = async () => (await getMedia(scope(), kept.id))!.described_at !== null;
    await until(described, { what: "the description" });
    expect((await getMedia(scope(), kept.id))!).toMatchObject({ width: null, thumbnail_key: null });
  });

  test("counts the attempt before it decodes", async () => {
    const kept = await keep(await picture());
    await stage.workers.producer.wake("describe_media", { business_id: stage.business });
    await until(async () => (await getMedia(scope(), kept.id))!.described_at !== null, { what: "the description" });
    expect((await getMedia(scope(), kept.id))!).toMatchObject({ width: 640, describe_attempts: 1 });
  });
});

describe("media host", () => {
  test("a file gone from the host is uploaded again", async () => {
    await control(stage.simulator, "POST", "/faults", { kind: "media", mode: "gone", times: 1 });
    const settled = await write({ type: "document", media: { random: 5_000, mime: "application/x-any" } });
    expect((await settled()).media).toMatchObject({ id: expect.any(String), size: 5_000 });
  });

  test("retries an unavailable host", async () => {
    await control(stage.simulator, "POST", "/faults", { kind: "media", mode: "away", times: 1 });
    const settled = await write({ type: "document", media: { random: 5_000, mime: "application/x-any" } });
    expect((await settled()).media).toMatchObject({ id: expect.any(String), size: 5_000 });
  });

  test.each(["garbage", "cut"])("gives up on %s content and stores none", async (mode) => {
    await control(stage.simulator, "POST", "/faults", { kind: "media", mode });
    await deadEnds({ type: "document", media: { random: 100_000, mime: "application/x-any" } }, "mismatch");
  });

  test("refuses content that contradicts its pointer", async () => {
    const pointer = { ...(await placed("image", await picture())), file_sha256: randomBytes(32).toString("base64") };
    await deadEnds({ type: "image", media: { mime: "image/png", pointer } }, "mismatch");
  });

  test("enforces the size cap before and during the download", async () => {
    const content = randomBytes(maxBytes.sticker + 1);
    const pointer = await placed("sticker", content);
    await deadEnds({ type: "sticker", media: { mime: "image/webp", pointer } }, "too_large");
    await deadEnds(
      { type: "sticker", media: { mime: "image/webp", pointer: { ...pointer, file_length: 10 } } },
      "mismatch",
    );
  });

  test("does not follow a path to another host", async () => {
    let asked = 0;
    const elsewhere = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: trustedCertificate(),
      fetch: () => (asked++, new Response("x")),
    });
    const pointer = await placed("image", await picture());
    const direct_path = `/\\127.0.0.1:${elsewhere.port}/v/x`;
    const settled = await write({ type: "image", media: { mime: "image/png", pointer: { ...pointer, direct_path } } });
    await settled();
    expect(asked).toBe(0);
    await elsewhere.stop(true);
  });
});
