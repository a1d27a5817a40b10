import { afterAll, describe, expect, test } from "bun:test";
import { appStateFetch } from "./app_state_fetch.ts";

let sent = 0;
const host = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/moved") return Response.redirect("/small", 302);
    if (pathname === "/small") return new Response("a file");
    if (pathname === "/silent") return new Response(new ReadableStream({ start: () => {} }));
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536));
    };
    return new Response(new ReadableStream({ pull }));
  },
});
afterAll(() => host.stop(true));

const limits = { maxBytes: 1_000_000, deadlineMs: 1_000, isAllowed: () => true };
const read = async (path: string, more = {}) =>
  (await appStateFetch({ ...limits, ...more })(new URL(path, host.url).href, {})).text();

describe("fetching a file of the app state", () => {
  test("passes a file through", async () => {
    expect(await read("/small")).toBe("a file");
  });

  test("ends an endless file at the limit", async () => {
    await expect(read("/endless")).rejects.toThrow("longer than");
    expect(sent).toBeLessThan(20_000_000);
  });

  test("ends at the deadline", async () => {
    await expect(read("/silent", { deadlineMs: 100 })).rejects.toThrow();
  });

  test("follows no redirect", async () => {
    await expect(read("/moved")).rejects.toThrow();
  });

  test("goes through the proxy", async () => {
    await expect(read("/small", { proxyUrl: "http://127.0.0.1:1" })).rejects.toThrow();
  });

  test.each([
    "http://mmg.whatsapp.net/v/file",
    "https://mmg.whatsapp.net@example.com/v/file",
    "https://user@mmg.whatsapp.net/v/file",
    "https://mmg.whatsapp.net:8443/v/file",
    "https://mmg.whatsapp.net.example.com/v/file",
    "https://127.0.0.1/v/file",
  ])("refuses %s", async (address) => {
    await expect(appStateFetch({})(address, {})).rejects.toThrow("not WhatsApp's");
  });
});
