import { expect, test } from "bun:test";
import { releaseName } from "./running.ts";

test("a release is named by its tarball's checksum", () => {
  expect(releaseName("https://r.example/prosaas-call-agent-0a1b2c3d4e5f.tar.gz?checksum=sha256:0a1b")).toBe(
    "0a1b2c3d4e5f",
  );
  expect(releaseName("https://r.example/builds/mine.tar.gz?checksum=sha256:0a1b")).toBe("mine.tar.gz");
});
