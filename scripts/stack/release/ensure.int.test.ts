import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureRelease, releasesFolder } from "./ensure.ts";
import { parts } from "./parts.ts";

let state: string;
let folder: string;
beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "prosaas-releases-test-"));
  folder = releasesFolder(state);
  await mkdir(folder);
});
afterAll(() => rm(state, { recursive: true, force: true }));

/** A file that was written some days ago. */
async function put(name: string, days: number): Promise<void> {
  await Bun.write(join(folder, name), "");
  const at = new Date(Date.now() - days * 86_400_000);
  await utimes(join(folder, name), at, at);
}

test("builds once and keeps five tarballs of a part", async () => {
  const first = await ensureRelease(state, "17090");
  expect(Object.keys(first)).toHaveLength(parts.length);
  const [, file] = /\/(prosaas-api-\w+\.tar\.gz)\?/.exec(first["api_release"]!)!;
  const { ino } = await stat(join(folder, file!));

  const former = Array.from({ length: 7 }, (_, n) => `prosaas-api-${"a".repeat(11)}${n}.tar.gz`);
  for (const [n, name] of former.entries()) await put(name, n + 1);
  await put("prosaas-services-0123456789ab.tar.gz", 2);
  await put(".prosaas-api-0123456789ab.tar.gz.12", 2);

  expect(await ensureRelease(state, "17090")).toEqual(first);
  expect((await stat(join(folder, file!))).ino).toBe(ino);
  const names = await readdir(folder);
  expect(names.filter((name) => name.startsWith("prosaas-api-")).toSorted()).toEqual(
    [file!, ...former.slice(0, 4)].toSorted(),
  );
  expect(names.filter((name) => name.startsWith(".") || name.includes("services"))).toEqual([]);
});
