import { describe, expect, test } from "bun:test";
import { download, HostRefusal } from "./host.ts";

describe("download", () => {
  test("asks by https only, and the configured host only", async () => {
    let asked = 0;
    const plain = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        asked += 1;
        return new Response("a file");
      },
    });
    const host = `127.0.0.1:${plain.port}`;
    for (const path of [
      `http://${host}/file`,
      "http://127.0.0.1/file",
      "https://other.example/file",
      "//other.example/file",
      "file:///etc/passwd",
      "/\\other.example/file",
    ]) {
      const read = async () => {
        for await (const _ of download(host, path, { signal: AbortSignal.timeout(5_000) }));
      };
      await expect(read(), path).rejects.toThrow("leads to another host or scheme");
    }
    expect(asked).toBe(0);
    await plain.stop(true);
  });

  test("calls a path to elsewhere gone", () => {
    expect(new HostRefusal(404, "").isGone).toBeTrue();
  });
});
