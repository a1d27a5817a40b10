import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { createMediaFixture, digestOf, png } from "./media.fixture.ts";
import type { MediaFixture } from "./media.fixture.ts";

let api: MediaFixture["api"];
let media: MediaFixture["media"];
let business: MediaFixture["business"];
let upload: MediaFixture["upload"];
let download: MediaFixture["download"];
beforeAll(async () => {
  ({ api, media, business, upload, download } = await createMediaFixture());
});
afterAll(() => api.close());

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

  test("stores only the file", async () => {
    const large = Buffer.concat([png, randomBytes(3 * 1024 * 1024)]);
    const form = new FormData();
    form.set("caption", "a field before it");
    form.set("file", new Blob([large], { type: "image/png" }), "picture.png");
    const one = await upload(form, { "content-digest": digestOf(large) });
    expect(one).toMatchObject({ status: 201, body: { mime: "image/png", size: large.length } });
    expect(Buffer.compare(Buffer.from(await (await download(one.body.url)).arrayBuffer()), large)).toBe(0);
  });

  test("is refused if truncated or not one file", async () => {
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

  test("is refused if its content contradicts its part", async () => {
    expect(await send(file(png, "application/pdf"), end)).toMatchObject({ status: 415 });
  });

  test("is limited by the size of a file", async () => {
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
  });

  test("as application/x-www-form-urlencoded is refused with a working command", async () => {
    const answer = await upload("a=b", { "content-type": "application/x-www-form-urlencoded" });
    expect(answer).toMatchObject({
      status: 415,
      body: { detail: expect.stringContaining("curl --data-binary @file") },
    });
  });
});

test("a table in a form is refused with instructions", async () => {
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
