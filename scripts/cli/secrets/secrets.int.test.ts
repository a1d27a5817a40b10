import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsul } from "../../../lib/consul/client.ts";
import { startConsulServer } from "../../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../../lib/testing/consul_server.ts";
import { startNomadServer } from "../../../lib/testing/nomad_server.ts";
import type { NomadServer } from "../../../lib/testing/nomad_server.ts";
import { root } from "../../stack/environment.ts";
import { createNomad } from "../../stack/nomad.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { runProgram } from "../../stack/program.ts";
import { distributeSecrets, ensureSecrets, readVariable, writeVariable } from "../../stack/secrets.ts";
import { ensureShardSecrets } from "../../stack/shard_secrets.ts";
import { takeScaleLock } from "../scale/lock.ts";
import { catalogue, secretOf } from "./catalogue.ts";
import { endRotation, writeStep } from "./rotation.ts";
import { readVariables, rootPath } from "./variables.ts";

const at = { postgres: "pg:1", replica: "pg:2", pooler: "pool:3", redis: "redis:4" };
const given = { wa_noise_root: "root", tls_authority: "ca", tls_certificate: "cert", tls_key: "-----BEGIN\nkey\n" };
const passphrase = "correct horse battery staple\n";

let server: NomadServer;
let consul: ConsulServer;
let nomad: Nomad;
let folder: string;

beforeAll(async () => {
  [server, consul] = await Promise.all([startNomadServer(), startConsulServer()]);
  nomad = createNomad(server.addr);
  folder = await mkdtemp(join(tmpdir(), "prosaas-secrets-"));
  for (const name of ["admin.key", "ca.crt"]) await Bun.write(join(folder, name), "");
});
afterAll(async () => {
  await Promise.all([server.stop(), consul.stop()]);
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await empty();
  await fill();
});

/** The secrets of a cluster as `scripts/up` makes them. */
async function fill(): Promise<void> {
  const { secrets } = await ensureSecrets(nomad);
  await distributeSecrets(nomad, { ...secrets, ...given }, at);
  await ensureShardSecrets(nomad, 2);
}

async function empty(): Promise<void> {
  for (const path of Object.keys(await readVariables(nomad))) await nomad("DELETE", `/v1/var/${path}`);
  expect(await readVariables(nomad)).toEqual({});
}

/** Of a command that acts on this cluster. */
const environment = () => ({
  ...process.env,
  NOMAD_ADDR: server.addr,
  NOMAD_TOKEN: undefined,
  CONSUL_HTTP_ADDR: consul.addr,
  PROSAAS_STATE_DIR: folder,
  PROSAAS_BASE_URL: "https://127.0.0.1:1",
  PROSAAS_CA_FILE: join(folder, "ca.crt"),
  PROSAAS_ADMIN_KEY_FILE: join(folder, "admin.key"),
});

function task(script: string, args: readonly string[], stdin = passphrase) {
  const command = [process.execPath, "run", `scripts/cli/secrets/${script}.ts`, ...args];
  return runProgram(command, { cwd: root, env: environment(), stdin });
}

const change = async (path: string, items: Record<string, string>) => {
  const variable = await readVariable(nomad, path);
  await writeVariable(nomad, path, { ...variable.Items, ...items }, variable);
};

describe("secrets:export and secrets:restore", () => {
  test("bring every variable back to an empty cluster", async () => {
    const before = await readVariables(nomad);
    const file = join(folder, "all.age");
    const made = await task("export", ["--to", file]);
    expect(made).toMatchObject({ code: 0 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, "utf8");
    for (const value of Object.values(before).flatMap((items) => Object.values(items)))
      expect(text + made.stdout + made.stderr).not.toContain(value.length > 8 ? value : `${value}${value}`);

    await empty();
    expect((await task("restore", ["--file", file, "--dry-run"])).code).toBe(0);
    expect(await readVariables(nomad)).toEqual({});
    expect((await task("restore", ["--file", file])).code).toBe(0);
    expect(await readVariables(nomad)).toEqual(before);
  });

  test("replace another value only with --yes", async () => {
    const before = await readVariables(nomad);
    const file = join(folder, "before.age");
    await task("export", ["--to", file]);
    await change("nomad/jobs/api", { DATA_KEYS: "other", LOG_LEVEL: "debug" });
    const refused = await task("restore", ["--file", file]);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain("replace  nomad/jobs/api DATA_KEYS");
    expect((await readVariables(nomad))["nomad/jobs/api"]).toMatchObject({ DATA_KEYS: "other" });

    expect((await task("restore", ["--file", file, "--yes"])).code).toBe(0);
    const { "nomad/jobs/api": api, ...others } = await readVariables(nomad);
    expect({ ...others, "nomad/jobs/api": api }).toEqual({
      ...before,
      "nomad/jobs/api": { ...before["nomad/jobs/api"]!, LOG_LEVEL: "debug" },
    });
  });

  test("overwrite no export", async () => {
    const file = join(folder, "twice.age");
    expect((await task("export", ["--to", file])).code).toBe(0);
    expect(await task("export", ["--to", file])).toMatchObject({ code: 1, stderr: expect.stringContaining("exists") });
  });

  test("print and read a paper of the irreplaceable keys", async () => {
    const { [rootPath]: before } = await readVariables(nomad);
    const file = join(folder, "paper.txt");
    expect((await task("export", ["--to", file, "--paper"])).code).toBe(0);
    await empty();
    expect((await task("restore", ["--file", file])).code).toBe(0);
    const { [rootPath]: after } = await readVariables(nomad);
    expect(Object.keys(after!).toSorted()).toEqual(["admin_key", "data_keys", "shard_keys"]);
    expect(before).toMatchObject(after!);
    // A deploy makes the rest again, beside them.
    await fill();
    expect((await readVariables(nomad))["nomad/jobs/api"]).toMatchObject({ DATA_KEYS: before!["data_keys"]! });
  });
});

describe("task secrets", () => {
  test("shows names, jobs and ages, and no value", async () => {
    await change("nomad/jobs/api", { S3_SECRET_ACCESS_KEY: "a-key-of-the-storage" });
    const { code, stdout } = await task("list", ["--json"]);
    expect(code).toBe(0);
    const { secrets } = JSON.parse(stdout) as { secrets: { name: string; jobs: string[] }[] };
    expect(secrets.find(({ name }) => name === "data_keys")).toMatchObject({ jobs: ["api", "workers"], values: 1 });
    expect(secrets.find(({ name }) => name === "S3_SECRET_ACCESS_KEY")).toMatchObject({ jobs: ["api"] });
    const shown = stdout + (await task("list", [])).stdout;
    for (const items of Object.values(await readVariables(nomad)))
      for (const value of Object.values(items)) if (value.length > 8) expect(shown).not.toContain(value);
  });
});

describe("secrets:set", () => {
  test("gives a secret to each job that has it", async () => {
    const token = "a-token-of-the-operator";
    expect((await task("set", ["--name", "calls_token", "--yes"], `${token}\n`)).code).toBe(0);
    const variables = await readVariables(nomad);
    expect(variables[rootPath]).toMatchObject({ calls_token: token, calls_token_since: expect.any(String) });
    for (const job of ["api", "calls"]) expect(variables[`nomad/jobs/${job}`]).toMatchObject({ CALLS_TOKEN: token });
  });

  test("sets a setting of single jobs", async () => {
    const args = ["--name", "S3_SECRET_ACCESS_KEY", "--jobs", "api,workers"];
    expect((await task("set", args, "a-key-of-the-storage")).code).toBe(0);
    const variables = await readVariables(nomad);
    for (const job of ["api", "workers"])
      expect(variables[`nomad/jobs/${job}`]).toMatchObject({ S3_SECRET_ACCESS_KEY: "a-key-of-the-storage" });
  });

  test.each([
    ["a value of another form", ["--name", "data_keys"], "not-a-ring", /not "id:base64/],
    [
      "a ring without the present key",
      ["--name", "data_keys"],
      `k9:${Buffer.alloc(32).toString("base64")}`,
      /keep the keys k1/,
    ],
    ["a setting that the service lacks", ["--name", "S3_SECRET", "--jobs", "api"], "value", /no setting S3_SECRET/],
    ["a replacement without --yes", ["--name", "calls_token"], "another-token-of-calls", /confirm with --yes/],
    ["no value", ["--name", "calls_token"], "", /on stdin/],
  ] as const)("refuses %s", async (_, args, value, fault) => {
    const before = await readVariables(nomad);
    const { code, stdout, stderr } = await task("set", args, value);
    expect(code).toBe(1);
    expect(stderr).toMatch(fault);
    if (value !== "" && value !== "value") expect(stdout + stderr).not.toContain(value);
    expect(await readVariables(nomad)).toEqual(before);
  });
});

describe("the values of a rotation", () => {
  const rotatable = catalogue.filter(({ rotation }) => rotation !== undefined).map(({ name }) => name);

  test.each(rotatable)("of %s are those of a deploy", async (name) => {
    const secret = secretOf(name)!;
    const { steps, next } = secret.rotation!;
    if (name === "metrics_token")
      for (const path of ["api", "prometheus"])
        await change(`nomad/jobs/${path}`, { [path === "api" ? "METRICS_TOKEN" : "metrics_token"]: "a".repeat(20) });
    const [first] = Object.values(await readVariables(nomad)).flatMap((items) => items[name] ?? []);
    for (const step of steps) {
      await writeStep(nomad, secret, step, next ?? (() => "the-new-token-of-the-carrier"));
      const written = await readVariables(nomad);
      const { secrets } = await ensureSecrets(nomad);
      expect(await distributeSecrets(nomad, { ...secrets, ...given }, at)).toEqual([]);
      expect(await ensureShardSecrets(nomad, 2)).toBeFalse();
      expect(await readVariables(nomad)).toEqual(written);
    }
    await endRotation(nomad, secret);
    const items = (await readVariables(nomad))[rootPath]!;
    expect(items[name]).not.toBe(first ?? "");
    expect(items[name]!.split(",").length).toBe(secret.rotation!.keeps === undefined ? 1 : 2);
    expect(items[`${name}_rotation`]).toBeUndefined();
  });
});

describe("secrets:rotate", () => {
  const ring = async () => (await readVariables(nomad))[rootPath]!["data_keys"]!.split(",");
  const rotate = (...args: string[]) => task("rotate", ["--name", "data_keys", "--json", ...args]);
  const lockOptions = { command: "test", deadlineMs: 10_000, onLost: () => {} };

  /** Runs the command and calls `seen` once it has printed a text. */
  async function rotateUntil(text: string, seen: () => void) {
    const command = [process.execPath, "run", "scripts/cli/secrets/rotate.ts", "--name", "data_keys"];
    const child = Bun.spawn(command, {
      cwd: root,
      env: environment(),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const stdout = new Response(child.stdout).text();
    let stderr = "";
    for await (const chunk of child.stderr) {
      stderr += new TextDecoder().decode(chunk);
      if (stderr.includes(text)) seen();
    }
    return { code: await child.exited, stdout: await stdout, stderr };
  }

  test("changes nothing on a dry run", async () => {
    const before = await readVariables(nomad);
    const { code, stdout } = await rotate("--dry-run");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ dry_run: true, changes: [{}, { plan: expect.any(Array) }] });
    expect(await readVariables(nomad)).toEqual(before);
  });

  test("rotates once when it runs twice at once", async () => {
    const [old] = await ring();
    // Both have started before the first can change anything.
    const lock = await takeScaleLock({ ...lockOptions, consul: createConsul({ addr: consul.addr }) });
    const waiting = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const both = waiting.map(({ resolve }) => rotateUntil("waiting for it", resolve));
    await Promise.all(waiting.map(({ promise }) => promise));
    await lock.release();
    const runs = await Promise.all(both);
    expect(runs.map(({ code, stderr }) => (code === 0 ? code : stderr))).toEqual([0, 0]);
    const [next, kept, ...others] = await ring();
    expect([next!.startsWith("k2:"), kept, others]).toEqual([true, old, []]);
    for (const { stdout, stderr } of runs) expect(stdout + stderr).not.toContain(next!.slice(3));
  });

  test("goes on after an interruption", async () => {
    const [old] = await ring();
    await writeStep(nomad, secretOf("data_keys")!, "accept", () => "k9:bmV4dG5leHRuZXh0bmV4dG5leHRuZXh0bmV4dG5leHQ=");
    expect((await rotate()).code).toBe(0);
    expect(await ring()).toEqual(["k9:bmV4dG5leHRuZXh0bmV4dG5leHRuZXh0bmV4dG5leHQ=", old!]);
  });

  test("refuses where a job has another value", async () => {
    await change("nomad/jobs/api", { DATA_KEYS: `k7:${Buffer.alloc(32).toString("base64")}` });
    const { code, stderr } = await rotate();
    expect([code, stderr]).toEqual([1, expect.stringContaining("nomad/jobs/api and prosaas/secrets have different")]);
  });

  test("refuses a secret whose server does not run", async () => {
    const { code, stderr } = await task("rotate", ["--name", "calls_token"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("The job calls, which checks calls_token,")]);
  });
});
