import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { describeMedia, finishRecording, forBusiness, recordCall, recordRecording } from "../../../../lib/db/index.ts";
import { endedCall } from "../../../../lib/testing/ended_call.ts";
import { maxMediaBytes } from "../../../../lib/media/index.ts";
import { createTestMedia } from "../../testing/media.ts";
import { createHarness } from "../../testing/harness.ts";
import type { Harness } from "../../testing/harness.ts";
import { sessionOf } from "../../testing/fake_shards.ts";

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

let api: Harness;
let media: ReturnType<typeof createTestMedia>;
let business: { id: string; key: string };
let other: { id: string; key: string };
beforeAll(async () => {
  media = createTestMedia("https://api.example.com");
  api = await createHarness({ media });
  [business, other] = [await api.business(), await api.business()];
  await api.request("POST", `/v1/businesses/${business.id}/whatsapp/connect`, { body: { method: "qr" } });
  api.shards.sessions.set(business.id, sessionOf(business.id));
});
afterAll(() => api.close());

type Uploaded = { id: string; mime: string; size: number; sha256: string; url: string; thumbnail_url?: string };

/** Uploads as the business; a stream is sent as one. */
async function upload(body: BodyInit, headers: Record<string, string> = {}, { id, key } = business) {
  const response = await api.app.request(`/v1/businesses/${id}/media`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, ...headers },
    body,
  });
  return { status: response.status, body: (await response.json()) as Uploaded & { detail: string } };
}
const get = (url: string, headers: Record<string, string> = {}) => {
  const { pathname, search } = new URL(url);
  return api.app.request(`${pathname}${search}`, { headers });
};
const digestOf = (bytes: Uint8Array) => `sha-256=:${createHash("sha256").update(bytes).digest("base64")}:`;

test("what is uploaded is had again at its signed address, and the same content again is the same media", async () => {
  const one = await upload(png, { "content-type": "image/png", "content-digest": digestOf(png) });
  expect(one).toMatchObject({
    status: 201,
    body: { mime: "image/png", size: png.length, sha256: createHash("sha256").update(png).digest("hex") },
  });
  const response = await get(one.body.url);
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

test("nothing of the content lies in the store as it is", async () => {
  const secret = Buffer.from("meet me at the bridge at nine ".repeat(5_000));
  expect((await upload(secret)).status).toBe(201);
  for (const object of media.objects.values()) expect(Buffer.from(object).includes("bridge")).toBeFalse();
});

test("what a file is is told by its content: a claim that it contradicts is refused, and so is a digest", async () => {
  const before = media.objects.size;
  expect(await upload(Buffer.from("<html><script>alert(1)</script>"), { "content-type": "image/png" })).toMatchObject({
    status: 415,
  });
  expect(await upload(png, { "content-type": "application/pdf" })).toMatchObject({ status: 415 });
  expect(await upload(png, { "content-digest": digestOf(randomBytes(3)) })).toMatchObject({ status: 400 });
  expect(await upload(png, { "content-digest": "md5=:x:" })).toMatchObject({ status: 400 });
  expect(media.objects.size).toBe(before);
  // A name or a claim makes nothing of it that it is not.
  const page = await upload(Buffer.from("<html><script>alert(1)</script>"), { "content-type": "text/html" });
  const served = await get(page.body.url);
  expect(served.headers.get("content-type")).toBe("application/octet-stream");
  expect(served.headers.get("content-disposition")).toBe("attachment");
});

test("a file over the cap is refused while it comes, and nothing of it is kept", async () => {
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
}, 60_000);

test("an address is good for its business, file, kind and time alone", async () => {
  const { body } = await upload(randomBytes(100));
  const theirs = await upload(randomBytes(100), {}, other);
  const url = new URL(body.url);
  const altered = (change: (url: URL) => void) => {
    const changed = new URL(url);
    change(changed);
    return changed.href;
  };
  const forged = [
    altered((at) => at.searchParams.set("expires", String(Number(at.searchParams.get("expires")) + 1))),
    altered((at) => at.searchParams.set("signature", at.searchParams.get("signature")!.slice(0, -2))),
    altered((at) => at.searchParams.delete("signature")),
    altered((at) => (at.pathname = at.pathname.replace(body.id, theirs.body.id))),
    altered((at) => (at.pathname = at.pathname.replace(business.id, other.id))),
    altered((at) => (at.pathname = at.pathname.replace("/content", "/thumbnail"))),
    theirs.body.url.replace(other.id, business.id),
    media.signer.links(business.id, -1)(body.id, "x").url,
  ];
  for (const address of forged) expect((await get(address)).status, address).toBe(403);
  expect((await get(media.signer.links(business.id, 60)(theirs.body.id, "x").url)).status).toBe(404);
  expect((await get(body.url)).status).toBe(200);
});

test("a piece of a file is had alone", async () => {
  const content = randomBytes(200_000);
  const { url } = (await upload(content)).body;
  const piece = async (range: string) => {
    const response = await get(url, { range });
    return {
      status: response.status,
      range: response.headers.get("content-range"),
      bytes: Buffer.from(await response.arrayBuffer()),
    };
  };
  expect(await piece("bytes=100-199")).toEqual({
    status: 206,
    range: "bytes 100-199/200000",
    bytes: content.subarray(100, 200),
  });
  expect(await piece("bytes=199990-")).toMatchObject({ status: 206, bytes: content.subarray(199_990) });
  expect(await piece("bytes=-5")).toMatchObject({ status: 206, bytes: content.subarray(-5) });
  expect(await piece("bytes=200000-")).toMatchObject({ status: 416, range: "bytes */200000" });
  expect(await piece("bytes=0-1,5-6")).toMatchObject({ status: 200, bytes: content });
  const { etag } = Object.fromEntries((await get(url)).headers);
  expect((await get(url, { "if-none-match": etag! })).status).toBe(304);
});

test("a picture that was looked into has a thumbnail, at an address of its own", async () => {
  const { body } = await upload(Buffer.concat([png, Buffer.from([1])]));
  expect(body.thumbnail_url).toBeUndefined();
  await media.store.put(
    "media/thumb",
    (async function* () {
      yield Buffer.from("a jpeg");
    })(),
  );
  await describeMedia(forBusiness(api.database.db, business.id), body.id, {
    width: 1,
    height: 1,
    seconds: null,
    thumbnail_key: "media/thumb",
    preview: null,
  });
  const read = await api.request("GET", `/v1/businesses/${business.id}/media/${body.id}`);
  expect(read.body).toMatchObject({ width: 1, height: 1 });
  const response = await get(read.body.thumbnail_url);
  expect([response.headers.get("content-type"), await response.text()]).toEqual(["image/jpeg", "a jpeg"]);
});

test("what is deleted is gone for everybody at once", async () => {
  const { body } = await upload(randomBytes(50));
  const path = `/v1/businesses/${business.id}/media/${body.id}`;
  expect((await api.request("DELETE", path)).status).toBe(204);
  expect((await api.request("DELETE", path)).status).toBe(404);
  expect((await api.request("GET", path)).status).toBe(404);
  expect((await get(body.url)).status).toBe(404);
});

test("a message goes with a media of its own business that WhatsApp shows as what it is sent as", async () => {
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
  expect((await get(message.body.content.media.url)).status).toBe(200);
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

test("the recording of a call is had at a signed address once it is stored", async () => {
  const scope = forBusiness(api.database.db, business.id);
  const [call_sid, recording_sid] = [`CA${"1".repeat(32)}`, `RE${"1".repeat(32)}`];
  await recordCall(scope, endedCall({ call_sid }));
  await recordRecording(scope, {
    recording_sid,
    call_sid,
    url: "https://api.twilio.com/x",
    duration_s: 1,
    channels: 2,
  });
  const recording = async () =>
    (await api.request("GET", `/v1/businesses/${business.id}/calls/${call_sid}`)).body.recordings[0];
  expect(await recording()).toMatchObject({ status: "pending", url: null });
  await media.store.put(
    "recordings/x.wav",
    (async function* () {
      yield Buffer.from("RIFF");
    })(),
  );
  await finishRecording(scope, recording_sid, { status: "stored", storage_key: "recordings/x.wav" });
  const { url } = await recording();
  const response = await get(url);
  expect([response.headers.get("content-type"), await response.text()]).toEqual(["audio/wav", "RIFF"]);
  expect((await get(url.replace(business.id, other.id))).status).toBe(403);
  expect((await get(media.signer.recording(other.id, recording_sid, 60).url)).status).toBe(404);
});

test("without a store uploads say what is missing", async () => {
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

describe("an upload in a form", () => {
  const boundary = "----form";
  const part = (head: string, content: Buffer | string) =>
    Buffer.concat([Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`), Buffer.from(content), Buffer.from("\r\n")]);
  const file = (content: Buffer, type = "image/png", more = "") =>
    part(`Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: ${type}${more}`, content);
  const field = (name: string) => part(`Content-Disposition: form-data; name="${name}"`, "x");
  const end = Buffer.from(`--${boundary}--\r\n`);
  const send = (...parts: Buffer[]) =>
    upload(Buffer.concat(parts), { "content-type": `multipart/form-data; boundary=${boundary}` });

  test("keeps the file without its envelope", async () => {
    const large = Buffer.concat([png, randomBytes(3 * 1024 * 1024)]);
    const form = new FormData();
    form.set("caption", "a field before it");
    form.set("file", new Blob([large], { type: "image/png" }), "picture.png");
    const one = await upload(form, { "content-digest": digestOf(large) });
    expect(one).toMatchObject({ status: 201, body: { mime: "image/png", size: large.length } });
    expect(Buffer.compare(Buffer.from(await (await get(one.body.url)).arrayBuffer()), large)).toBe(0);
  });

  test("is refused where it is cut off, has no file, several files or too many fields", async () => {
    const before = media.objects.size;
    expect(await send(file(png).subarray(0, 150))).toMatchObject({ status: 400 });
    expect(await send(file(png))).toMatchObject({ status: 400 });
    expect(await send(field("caption"), end)).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining("curl -F") },
    });
    expect(await send(file(png), file(png), end)).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining("several") },
    });
    const fields = Array.from({ length: 100 }, (_, n) => field(`f${n}`));
    expect(await send(...fields, file(png), end)).toMatchObject({ status: 400 });
    expect(await send(file(png, "image/png", "\r\nContent-Transfer-Encoding: base64"), end)).toMatchObject({
      status: 400,
    });
    expect(await upload(png, { "content-type": "multipart/form-data" })).toMatchObject({ status: 400 });
    expect(media.objects.size).toBe(before);
  });

  test("is refused where its content contradicts its part", async () => {
    expect(await send(file(png, "application/pdf"), end)).toMatchObject({ status: 415 });
  });

  test("is bounded by the size of a file", async () => {
    const block = Buffer.alloc(1024 * 1024, 1);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (sent === 0) controller.enqueue(file(Buffer.alloc(0), "application/octet-stream").subarray(0, -2));
        sent += 1;
        controller.enqueue(block);
        if (sent === 300) controller.close();
      },
    });
    const answer = await upload(body, { "content-type": `multipart/form-data; boundary=${boundary}` });
    expect(answer.status).toBe(413);
    expect(sent).toBeLessThan(150);
  }, 30_000);

  test("as application/x-www-form-urlencoded is refused with a command that works", async () => {
    const answer = await upload("a=b", { "content-type": "application/x-www-form-urlencoded" });
    expect(answer).toMatchObject({
      status: 415,
      body: { detail: expect.stringContaining("curl --data-binary @file") },
    });
  });
});

test("a table in a form is refused with a command that works", async () => {
  const draft = await api.request("POST", `/v1/businesses/${business.id}/broadcasts`, {
    body: { name: "x", text: "x" },
  });
  const form = new FormData();
  form.set("file", new Blob(["to\n5511987654321\n"], { type: "text/csv" }), "a.csv");
  const answer = await api.app.request(`/v1/businesses/${business.id}/broadcasts/${draft.body.id}/recipients/upload`, {
    method: "POST",
    headers: { authorization: `Bearer ${business.key}` },
    body: form,
  });
  expect(answer.status).toBe(415);
  expect(((await answer.json()) as { detail: string }).detail).toContain(
    "curl --data-binary @table.csv -H 'Content-Type: text/csv'",
  );
});
