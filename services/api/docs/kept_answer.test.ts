import { expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { Hono } from "hono";
import { createOfflineApp } from "../testing/offline_app.ts";
import { keptAnswer } from "./kept_answer.ts";

const ask = async (app: { request: Hono["request"] }, path: string, encoding?: string) => {
  const answer = await app.request(path, encoding === undefined ? {} : { headers: { "accept-encoding": encoding } });
  return { headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) };
};

test("makes a text once for all visitors", async () => {
  let made = 0;
  const app = new Hono().get(
    "/",
    keptAnswer("text/plain", () => `text ${++made}`),
  );
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask(app, "/")));
  expect(new Set(answers.map(({ body }) => String(body)))).toEqual(new Set(["text 1"]));
});

test("serves the reference compressed, unless the client refuses", async () => {
  const { app, close } = createOfflineApp("https://api.example.com");
  try {
    for (const path of ["/v1/openapi.json", "/docs"]) {
      const plain = await ask(app, path);
      expect(plain.headers.get("content-encoding"), path).toBeNull();
      for (const encoding of ["gzip, deflate, br", "br;q=1, gzip;q=0.5"]) {
        const packed = await ask(app, path, encoding);
        expect(packed.headers.get("content-encoding"), path).toBe("gzip");
        expect(packed.headers.get("vary"), path).toBe("accept-encoding");
        expect(packed.headers.get("content-type"), path).toBe(plain.headers.get("content-type"));
        expect(packed.body.length, path).toBeLessThan(plain.body.length / 4);
        expect(gunzipSync(packed.body).equals(plain.body), path).toBeTrue();
      }
      for (const encoding of ["gzip;q=0", "br", "identity"])
        expect((await ask(app, path, encoding)).headers.get("content-encoding"), path).toBeNull();
    }
  } finally {
    await close();
  }
});
