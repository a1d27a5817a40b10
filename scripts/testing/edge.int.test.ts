import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsul } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../lib/testing/consul_server.ts";
import { uniqueName } from "../../lib/testing/servers.ts";
import { until } from "../../lib/testing/until.ts";
import { runProgram } from "../stack/program.ts";

/*
 * The edge's configuration as standalone consul-template renders it, without Nomad: consul/nginx.conf.ctmpl.
 */
const root = join(import.meta.dir, "../..");
let server: ConsulServer;
let consul: ConsulClient;
let folder: string;

async function run(command: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runProgram(command, { cwd: root, env: { ...process.env, ...env } });
  if (code !== 0) throw new Error(`${command[0]} exited ${code}: ${stdout}${stderr}`);
  return stdout + stderr;
}

/** Renders the template once and lets nginx check the result. */
async function render(): Promise<string> {
  const destination = join(folder, "nginx.conf");
  await run(
    ["consul-template", "-once", "-consul-addr", server.addr, "-template", `consul/nginx.conf.ctmpl:${destination}`],
    {
      LISTEN_HOST: "127.0.0.1",
      HTTP_PORT: "18080",
      HTTPS_PORT: "18443",
      CONSOLE_ROOT: join(root, "services/console"),
      RUN_DIR: folder,
      TLS_CERTIFICATE: join(folder, "tls.crt"),
      TLS_KEY: join(folder, "tls.key"),
    },
  );
  await run(["nginx", "-t", "-e", "stderr", "-c", destination]);
  return readFile(destination, "utf8");
}

beforeAll(async () => {
  // Of its own: other files register instances of the same services on the one that all share.
  server = await startConsulServer();
  consul = createConsul({ addr: server.addr });
  folder = await mkdtemp(join(tmpdir(), "prosaas-edge-"));
  const [key, certificate] = [join(folder, "tls.key"), join(folder, "tls.crt")];
  await run([
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-subj",
    "/CN=test",
    "-keyout",
    key,
    "-out",
    certificate,
  ]);
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("upstreams", () => {
  test("refuse at once without an instance", async () => {
    const rendered = await render();
    expect(rendered.match(/server 127\.0\.0\.1:65535;/g)).toHaveLength(3);
  });

  test("list every healthy instance and no deregistered one", async () => {
    const ids = [uniqueName("api"), uniqueName("api")];
    // The agent passes on what it registers to the catalogue later.
    const listed = (count: number) =>
      until(async () => ((await consul.api.catalog.service.nodes("prosaas-api")) as unknown[]).length === count, {
        what: `${count} instances in the catalogue`,
      });
    const register = (id: string, port: number) =>
      consul.api.agent.service.register({ id, name: "prosaas-api", address: "127.0.0.1", port });
    await register(ids[0]!, 41_001);
    await register(ids[1]!, 41_002);
    await listed(2);
    const both = await render();
    expect(both).toContain("server 127.0.0.1:41001 ");
    expect(both).toContain("server 127.0.0.1:41002 ");
    await consul.api.agent.service.deregister(ids[0]!);
    await listed(1);
    const one = await render();
    expect(one).not.toContain("41001");
    expect(one).toContain("server 127.0.0.1:41002 ");
    await consul.api.agent.service.deregister(ids[1]!);
  });
});
