import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../testing/certificate.ts";

/** Lists queues through a server with a certificate that no runtime trusts by default. */
const program = `
import { readFileSync } from "node:fs";
import { createApiClient } from "${join(import.meta.dir, "client.ts")}";
import { trusting } from "${join(import.meta.dir, "node.ts")}";
const [baseUrl, file, how] = process.argv.slice(2);
const ca = readFileSync(file, "utf8");
const options = { none: {}, ca: { ca }, trusting: { fetch: trusting(ca) } }[how];
try {
  const { data } = await createApiClient({ baseUrl, key: "psk_1", ...options }).GET("/v1/admin/queues");
  console.log(JSON.stringify(data));
} catch (error) {
  console.log(String(error.message) + " " + String(error.cause?.code ?? error.code ?? ""));
}
`;

let folder: string;
let server: ReturnType<typeof Bun.serve>;
let certFile: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-client-"));
  const made = makeCertificate(folder);
  certFile = made.certFile;
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: Bun.file(certFile), key: Bun.file(made.keyFile) },
    fetch: (request) => Response.json({ data: [request.headers.get("authorization")] }),
  });
  await Bun.write(join(folder, "program.ts"), program);
  const built = await Bun.build({
    entrypoints: [join(folder, "program.ts")],
    target: "node",
    outdir: folder,
    naming: "program.mjs",
  });
  expect(built.success).toBeTrue();
});
afterAll(async () => {
  await server.stop(true);
  await rm(folder, { recursive: true, force: true });
});

async function run(runtime: string, how: string): Promise<string> {
  const child = Bun.spawn([runtime, join(folder, "program.mjs"), server.url.origin, certFile, how], {
    env: { PATH: process.env["PATH"]! },
    stdout: "pipe",
    stderr: "inherit",
  });
  return (await new Response(child.stdout).text()).trim();
}

describe("a private certificate authority", () => {
  const listed = '{"data":["Bearer psk_1"]}';

  test("is trusted on Bun by ca", async () => expect(await run(process.execPath, "ca")).toBe(listed));

  test("is trusted on Node.js by trusting()", async () => expect(await run("node", "trusting")).toBe(listed));

  test("is refused as ca on Node.js, with instructions", async () =>
    expect(await run("node", "ca")).toContain("fetch: trusting(ca)"));

  test.each(["node", process.execPath])("is not trusted otherwise (%s)", async (runtime) =>
    expect(await run(runtime, "none")).toMatch(/SELF_SIGNED|self.signed|certificate/i),
  );
});
