import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { maxMediaBytes } from "../../../../lib/media/index.ts";
import { createHarness } from "../../testing/harness.ts";
import { createMediaFixture, digestOf, png } from "./media.fixture.ts";
import type { MediaFixture } from "./media.fixture.ts";

let api: MediaFixture["api"];
let media: MediaFixture["media"];
let business: MediaFixture["business"];
let other: MediaFixture["other"];
let upload: MediaFixture["upload"];
let download: MediaFixture["download"];
beforeAll(async () => {
  ({ api, media, business, other, upload, download } = await createMediaFixture());
});
afterAll(() => api.close());

describe("an upload", () => {
  test("can be downloaded and repeated", async () => {
    const one = await upload(png, { "content-type": "image/png", "content-digest": digestOf(png) });
    expect(one).toMatchObject({
      status: 201,
      body: { mime: "image/png", size: png.length, sha256: createHash("sha256").update(png).digest("hex") },
    });
    const response = await download(one.body.url);
    expect(response.status).toBe(200);
    expect(Buffer.compare(Buffer.from(await response.arrayBuffer()), png)).toBe(0);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "image/png",
      "content-length": String(png.length),
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
    });
    expect(await upload(png)).toMatchObject({ status: 200, body: { id: one.body.id } });
    expect(api.woken).toContain(business.id);
    const read = await api.request("GET", `/v1/businesses/${business.id}/media/${one.body.id}`, { key: business.key });
    expect(read).toMatchObject({ status: 200, body: { id: one.body.id, width: null } });
  });

  test("is encrypted in the store", async () => {
    const secret = Buffer.from("meet me at the bridge at nine ".repeat(5_000));
    expect((await upload(secret)).status).toBe(201);
    for (const object of media.objects.values()) expect(Buffer.from(object).includes("bridge")).toBeFalse();
  });

  test("is refused if type or digest contradict it", async () => {
    const before = media.objects.size;
    expect(await upload(Buffer.from("<html><script>alert(1)</script>"), { "content-type": "image/png" })).toMatchObject(
      {
        status: 415,
      },
    );
    expect(await upload(png, { "content-type": "application/pdf" })).toMatchObject({ status: 415 });
    expect(await upload(png, { "content-digest": digestOf(randomBytes(3)) })).toMatchObject({ status: 400 });
    expect(await upload(png, { "content-digest": "md5=:x:" })).toMatchObject({ status: 400 });
    expect(media.objects.size).toBe(before);
    // The declared type does not change how the content is served.
    const page = await upload(Buffer.from("<html><script>alert(1)</script>"), { "content-type": "text/html" });
    const served = await download(page.body.url);
    expect(served.headers.get("content-type")).toBe("application/octet-stream");
    expect(served.headers.get("content-disposition")).toBe("attachment");
  });

  test("is refused beyond the size limit, leaving nothing", async () => {
    const before = media.objects.size;
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 1024 * 1024;
        controller.enqueue(new Uint8Array(1024 * 1024));
      },
    });
    const { status } = await upload(endless);
    expect(status).toBe(413);
    expect(sent).toBeLessThan(maxMediaBytes + 8 * 1024 * 1024);
    expect(media.objects.size).toBe(before);
  });

  test("answers 503 without a store", async () => {
    const bare = await createHarness({ media: { ...media, store: null } });
    const { id, key } = await bare.business();
    const response = await bare.app.request(`/v1/businesses/${id}/media`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: png,
    });
    expect(response.status).toBe(503);
    await bare.close();
  });
});

test("a deleted file answers 404 at once", async () => {
  const { body } = await upload(randomBytes(50));
  const path = `/v1/businesses/${business.id}/media/${body.id}`;
  expect((await api.request("DELETE", path)).status).toBe(204);
  expect((await api.request("DELETE", path)).status).toBe(404);
  expect((await api.request("GET", path)).status).toBe(404);
  expect((await download(body.url)).status).toBe(404);
});

test("messages accept only fitting files of their business", async () => {
  const image = (await upload(png)).body;
  const binary = (await upload(randomBytes(10))).body;
  const theirs = (await upload(png, {}, other)).body;
  const send = (body: object) =>
    api.request("POST", `/v1/businesses/${business.id}/messages`, {
      key: business.key,
      body: { to: "5511900000002", ...body },
    });

  const sent = await send({ type: "image", media: image.id, caption: "look" });
  expect(sent.status).toBe(202);
  const message = await api.request("GET", `/v1/businesses/${business.id}/messages/${sent.body.id}`, {
    key: business.key,
  });
  expect(message.body).toMatchObject({
    type: "image",
    text: "look",
    content: {
      type: "image",
      caption: "look",
      media: { id: image.id, status: "available", mime: "image/png", size: png.length },
    },
  });
  expect((await download(message.body.content.media.url)).status).toBe(200);
  expect((await send({ type: "document", media: binary.id, file_name: "data.bin" })).status).toBe(202);

  const refused = async (body: object) => (await send(body)).body.errors;
  expect(await refused({ type: "image", media: binary.id })).toMatchObject([
    { field: "media", message: expect.stringContaining("document") },
  ]);
  expect(await refused({ type: "video", media: image.id })).toMatchObject([{ field: "media" }]);
  expect(await refused({ type: "audio", media: image.id, voice: true })).toMatchObject([{ field: "media" }]);
  expect(await refused({ type: "image", media: theirs.id })).toMatchObject([
    { field: "media", message: expect.stringContaining("no such media") },
  ]);
  expect(await refused({ type: "image", media: "not an id" })).toMatchObject([{ field: "media" }]);
  expect(await refused({ type: "image" })).toMatchObject([{ field: "media" }]);
});
