import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFile, cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../environment.ts";
import { parts, programsOf } from "./parts.ts";
import type { Part } from "./parts.ts";
import { makeRelease, releaseAddress } from "./tarball.ts";
import type { Release } from "./tarball.ts";

let folder: string;
let release: Release;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-release-test-"));
  release = await makeRelease(root, folder);
  for (const part of parts) await unpack(part);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The folder in which a task finds a part. */
const app = (part: Part) => join(folder, "apps", part);

async function unpack(part: Part): Promise<void> {
  await mkdir(app(part), { recursive: true });
  const { exitCode } = Bun.spawnSync(["tar", "-xzf", join(folder, release[part].file), "-C", app(part)]);
  expect(exitCode).toBe(0);
}

const filesOf = (part: Part) => [...new Bun.Glob("**/*").scanSync({ cwd: app(part), dot: true })];
const packagesOf = (part: Part) =>
  ["@whiskeysockets/baileys", "libsignal", "msgpackr-extract", "sharp"].filter((name) =>
    filesOf(part).includes(`node_modules/${name}/package.json`),
  );

describe("a copy of the checkout", () => {
  const copy = () => join(folder, "checkout");
  beforeAll(async () => {
    await mkdir(copy());
    for (const name of ["services", "lib", "scripts", "package.json", "bun.lock", "tsconfig.json"])
      await cp(join(root, name), join(copy(), name), { recursive: true });
    // Hard links, which no test changes, where the folders are on one file system.
    const packages = [join(root, "node_modules"), join(copy(), "node_modules")];
    const linked = Bun.spawnSync(["cp", "-rl", ...packages]).success;
    if (!linked) Bun.spawnSync(["cp", "-r", ...packages]);
  });

  test("gives the same release", async () => {
    expect(await makeRelease(copy(), join(folder, "second"))).toEqual(release);
  });

  test("gives another tarball for a changed service only", async () => {
    await appendFile(join(copy(), "services/calls/main.ts"), '\nconsole.info("changed");\n');
    await appendFile(join(copy(), "services/api/docs/docs.css"), "\nbody { color: red; }\n");
    const changed = await makeRelease(copy(), join(folder, "third"));
    expect(parts.filter((part) => changed[part].sha256 !== release[part].sha256)).toEqual(["api", "calls"]);
  });
});

describe("a tarball", () => {
  test("is small and names no folder of this machine", () => {
    const limit = (part: Part) => (packagesOf(part).some((name) => name !== "msgpackr-extract") ? 10e6 : 1e6);
    expect(parts.filter((part) => release[part].bytes > limit(part))).toEqual([]);
    const { stdout } = Bun.spawnSync(["grep", "-rlF", root, join(folder, "apps")]);
    expect(stdout.toString()).toBe("");
  });

  // Nomad's default limit: decompression_file_count_limit.
  test("has fewer files than Nomad unpacks", () => {
    for (const part of parts) expect(filesOf(part).length).toBeLessThan(4_096);
  });

  test("ships the packages that its service imports", () => {
    expect(Object.fromEntries(parts.map((part) => [part, packagesOf(part)]))).toEqual({
      api: ["msgpackr-extract"],
      acme: [],
      autoscaler: [],
      "call-agent": [],
      calls: ["msgpackr-extract"],
      console: [],
      indexer: [],
      migrate: [],
      simulator: ["@whiskeysockets/baileys", "libsignal"],
      whatsapp: ["@whiskeysockets/baileys", "libsignal", "msgpackr-extract"],
      workers: ["msgpackr-extract", "sharp"],
    });
  });

  test("ships the files that its service reads", () => {
    expect(filesOf("api")).toContain("services/api/docs/docs.css");
    expect(filesOf("migrate")).toContain("lib/db/migrations/0000_foundation.sql");
    expect(filesOf("migrate")).toContain("lib/db/migrations/meta/_journal.json");
    expect(filesOf("console")).toContain("console/index.html");
  });

  test.each(parts.filter((part) => programsOf(part).length > 0))("starts %s without the checkout", (part) => {
    const program = programsOf(part)[0]!.replace(/\.ts$/, ".js");
    // Every service refuses this setting after all of its modules have loaded.
    const env = { LOG_LEVEL: "loud" };
    const { exitCode, stderr } = Bun.spawnSync([process.execPath, "run", program], { cwd: app(part), env });
    expect(exitCode).toBe(2);
    expect(stderr.toString()).toContain("LOG_LEVEL");
  });
});

// services/whatsapp/session/survivable.ts recognises Baileys by this path, and ends the process on other errors.
test("error stacks keep the path of Baileys", async () => {
  const program = `
    const { encodeBinaryNode } = await import("@whiskeysockets/baileys");
    try { encodeBinaryNode(undefined); } catch (error) { console.log(error.stack); }`;
  const file = join(app("whatsapp"), "services/whatsapp/error.js");
  await Bun.write(file, program);
  const { stdout } = Bun.spawnSync([process.execPath, "run", file], { cwd: app("whatsapp") });
  expect(stdout.toString()).toContain("/@whiskeysockets/baileys/");
  const main = await Bun.file(join(app("whatsapp"), "services/whatsapp/main.js")).text();
  expect(main).toContain('from "@whiskeysockets/baileys"');
});

test("the workers decode media with their own packages", () => {
  const program = join(app("workers"), "services/workers/media/decoder/child.js");
  const child = Bun.spawnSync([process.execPath, "run", program, "image/gif"], {
    cwd: app("workers"),
    env: { PATH: process.env["PATH"]! },
    stdin: Buffer.from("R0lGODdhAQABAIAAAP///////ywAAAAAAQABAAACAkQBADs=", "base64"),
  });
  expect(JSON.parse(child.stdout.toString())).toMatchObject({ width: 1, height: 1 });
});

test("an address names the tarball and its checksum", () => {
  expect(releaseAddress("https://example.com/", { file: "prosaas-1.tar.gz", sha256: "12" })).toBe(
    "https://example.com/prosaas-1.tar.gz?checksum=sha256:12",
  );
});
