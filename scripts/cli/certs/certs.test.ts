import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../stack/environment.ts";
import { runProgram } from "../../stack/program.ts";
import { recordTrust } from "./certificates.ts";

/* Needs openssl, and no cluster. */
type Listed = { name: string; authority: number | null; expires: string };
type Result = { signed: string[]; certificates: Listed[] };

let home: string;
let state: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "prosaas-certs-"));
  state = join(home, "state");
  await writeFile(join(home, "nodes"), "server-1 server 10.0.0.11\nclient-1 client 10.0.0.21 data\n");
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function certs(...args: string[]) {
  const command = ["bun", "run", join(import.meta.dir, "main.ts"), ...args, "--json"];
  const env = { ...process.env, PROSAAS_STACK: "production", PROSAAS_STATE_DIR: state };
  const { code, stdout, stderr } = await runProgram(command, { cwd: root, env });
  return { code, stderr, result: (stdout.startsWith("{") ? JSON.parse(stdout) : {}) as Result };
}
const make = () => certs("make", "--nodes", join(home, "nodes"));
const file = (name: string) => readFile(join(state, name), "utf8");
const authoritiesOf = ({ certificates }: Result) =>
  Object.fromEntries(certificates.map(({ name, authority }) => [name, authority]));

/** True if openssl finds that the certificate was signed by one that `ca.crt` trusts, for a server. */
const isTrusted = async (name: string) => {
  const verify = ["openssl", "verify", "-purpose", "sslserver", "-CAfile", join(state, "tls/ca.crt")];
  return (await runProgram([...verify, join(state, `tls/${name}.crt`)], { cwd: "/" })).code === 0;
};

describe("task certs", () => {
  test("makes certificates, gossip keys and tokens once", async () => {
    const { code, result } = await make();
    expect([code, result.signed]).toEqual([0, ["server-1", "client-1"]]);
    expect(authoritiesOf(result)).toEqual({ "authority-1": 1, "server-1": 1, "client-1": 1 });
    expect([await isTrusted("server-1"), await isTrusted("client-1")]).toEqual([true, true]);
    for (const name of [
      "tls/server-1.key",
      "tls/authority-1.key",
      "access/consul-gossip",
      "access/consul-agent-client-1",
    ])
      expect((await stat(join(state, name))).mode & 0o777).toBe(0o600);
    const key = await file("access/nomad-gossip");
    expect(Buffer.from(key, "base64")).toHaveLength(32);
    expect((await make()).result.signed).toEqual([]);
    expect(await file("access/nomad-gossip")).toBe(key);
  });

  test("makes what a new or moved node lacks", async () => {
    await make();
    await writeFile(
      join(home, "nodes"),
      "server-1 server 10.0.0.11\nclient-1 client 10.0.0.99\nnew client 10.0.0.22\n",
    );
    expect((await make()).result.signed).toEqual(["client-1", "new"]);
  });

  test("renews certificates in the last third of their life", async () => {
    await certs("make", "--nodes", join(home, "nodes"), "--days", "300");
    expect((await certs("renew")).result.signed).toEqual([]);
    const before = await file("tls/client-1.crt");
    expect((await certs("renew", "client-1", "--dry-run")).result.signed).toEqual(["client-1"]);
    expect(await file("tls/client-1.crt")).toBe(before);
    expect((await certs("renew", "client-1")).result.signed).toEqual(["client-1"]);
    expect(await file("tls/client-1.crt")).not.toBe(before);
    // The key of another certificate: a renewal that was interrupted.
    await writeFile(join(state, "tls/client-1.key"), await file("tls/server-1.key"));
    expect((await certs("renew")).result.signed).toEqual(["client-1"]);
  });

  test("replaces the authority with both trusted in between", async () => {
    await make();
    const former = await file("tls/server-1.crt");
    expect((await certs("renew", "--authority")).code).toBe(0);
    expect((await file("tls/ca.crt")).match(/BEGIN CERTIFICATE/g)).toHaveLength(2);

    const early = await certs("renew");
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining("would not trust a certificate")]);
    for (const name of ["server-1", "client-1"])
      await recordTrust({ state }, { name, role: "client", address: "10.0.0.1", pool: "default" });
    const used = await certs("retire");
    expect([used.code, used.stderr]).toEqual([1, expect.stringContaining("of server-1, client-1")]);

    expect((await certs("renew")).result.signed).toEqual(["server-1", "client-1"]);
    expect(await isTrusted("server-1")).toBeTrue();
    await writeFile(join(state, "tls/former.crt"), former);
    expect(await isTrusted("former")).toBeTrue();

    const { result } = await certs("retire");
    expect(authoritiesOf(result)).toEqual({ "authority-2": 2, "server-1": 2, "client-1": 2 });
    expect([await isTrusted("server-1"), await isTrusted("former")]).toEqual([true, false]);
    expect((await certs("retire")).code).toBe(1);
  });

  test("says how to begin", async () => {
    const { code, stderr } = await certs();
    expect([code, stderr]).toEqual([1, expect.stringContaining("task certs -- make --nodes FILE")]);
  });
});
