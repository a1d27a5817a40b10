import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../environment.ts";
import { makeTarball, releaseAddress } from "./tarball.ts";
import type { Tarball } from "./tarball.ts";

let folder: string;
let tarball: Tarball;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-release-test-"));
  tarball = await makeTarball(root, folder, "services");
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function unpack(): Promise<string> {
  const to = join(folder, "app");
  await mkdir(to, { recursive: true });
  const { exitCode } = Bun.spawnSync(["tar", "-xzf", join(folder, tarball.file), "-C", to]);
  expect(exitCode).toBe(0);
  return to;
}

describe("a release", () => {
  test("is the same for a copy of the checkout", async () => {
    const copy = join(folder, "checkout");
    await mkdir(copy);
    for (const name of ["services", "lib", "scripts", "package.json", "bun.lock", "tsconfig.json", "node_modules"])
      await cp(join(root, name), join(copy, name), { recursive: true });
    const second = await makeTarball(copy, join(folder, "second"), "services");
    expect(second).toEqual(tarball);
    const to = join(folder, "consoles");
    expect(await makeTarball(copy, to, "console")).toEqual(await makeTarball(root, to, "console"));
    await rm(copy, { recursive: true });
  }, 120_000);

  test("is small and names no folder of this machine", async () => {
    expect(Bun.file(join(folder, tarball.file)).size).toBeLessThan(20_000_000);
    const app = await unpack();
    const { stdout } = Bun.spawnSync(["grep", "-rlF", root, app]);
    expect(stdout.toString()).toBe("");
  });

  test("starts every service without the checkout", async () => {
    const app = await unpack();
    const services = ["api", "calls", "indexer", "migrate", "simulator", "whatsapp", "workers"];
    for (const service of services) {
      const { exitCode, stderr } = Bun.spawnSync([process.execPath, "run", `services/${service}/main.js`], {
        cwd: app,
        env: {},
      });
      expect([service, exitCode]).toEqual([service, 2]);
      expect(stderr.toString()).toContain("is not set");
    }
  }, 30_000);

  // services/whatsapp/session/survivable.ts recognises Baileys by this path, and ends the process on other errors.
  test("keeps the path of Baileys in error stacks", async () => {
    const app = await unpack();
    const program = `
      const { encodeBinaryNode } = await import("@whiskeysockets/baileys");
      try { encodeBinaryNode(undefined); } catch (error) { console.log(error.stack); }`;
    const file = join(app, "services/whatsapp/error.js");
    await Bun.write(file, program);
    const { stdout } = Bun.spawnSync([process.execPath, "run", file], { cwd: app });
    expect(stdout.toString()).toContain("/@whiskeysockets/baileys/");
    expect(await Bun.file(join(app, "services/whatsapp/main.js")).text()).toContain('from "@whiskeysockets/baileys"');
  });

  test("decodes media with its own packages", async () => {
    const app = await unpack();
    const program = join(app, "services/workers/media/decoder/child.js");
    const child = Bun.spawnSync([process.execPath, "run", program, "image/gif"], {
      cwd: app,
      env: { PATH: process.env["PATH"]! },
      stdin: Buffer.from("R0lGODdhAQABAIAAAP///////ywAAAAAAQABAAACAkQBADs=", "base64"),
    });
    expect(JSON.parse(child.stdout.toString())).toMatchObject({ width: 1, height: 1 });
  });
});

test("an address names the tarball and its checksum", () => {
  expect(releaseAddress("https://example.com/", { file: "prosaas-1.tar.gz", sha256: "12" })).toBe(
    "https://example.com/prosaas-1.tar.gz?checksum=sha256:12",
  );
});
