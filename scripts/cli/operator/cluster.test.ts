import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressCluster, addressNomad } from "./cluster.ts";
import type { Addressed } from "./cluster.ts";

let folder: string;
const local = () => ({
  stack: "dev",
  nomad_addr: "http://127.0.0.1:4646",
  consul_http_addr: "127.0.0.1:8500",
  base_url: "https://127.0.0.1:8443",
  ca_file: "/ca",
  admin_key_file: "/key",
  nomad_token_file: join(folder, "nomad"),
  consul_token_file: join(folder, "consul"),
});
const other = {
  NOMAD_ADDR: "https://nomad.example:4646",
  CONSUL_HTTP_ADDR: "https://consul.example:8501",
  PROSAAS_BASE_URL: "https://api.example",
  PROSAAS_CA_FILE: "/their/ca",
  PROSAAS_ADMIN_KEY_FILE: "/their/key",
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-cluster-"));
  await Bun.write(join(folder, "nomad"), "own-nomad\n");
  await Bun.write(join(folder, "consul"), "own-consul\n");
});
afterAll(() => rm(folder, { recursive: true }));

describe("addressCluster", () => {
  test("takes the stack of this machine with its tokens", async () => {
    for (const env of [{}, { NOMAD_ADDR: "http://localhost:4646/", CONSUL_HTTP_ADDR: "http://127.0.0.1:8500" }]) {
      expect(await addressCluster(local(), "dev", env)).toMatchObject({
        stack: { base_url: "https://127.0.0.1:8443" },
        env: { NOMAD_ADDR: "http://127.0.0.1:4646", NOMAD_TOKEN: "own-nomad", CONSUL_HTTP_TOKEN: "own-consul" },
        note: null,
      });
    }
  });

  test("prefers the operator's tokens", async () => {
    const { env } = (await addressCluster(local(), "dev", { NOMAD_TOKEN: "theirs" })) as Addressed;
    expect(env).toMatchObject({ NOMAD_TOKEN: "theirs", CONSUL_HTTP_TOKEN: "own-consul" });
  });

  test("sends no token of the stack to another cluster", async () => {
    for (const stack of [local(), null]) {
      const {
        stack: addressed,
        env,
        note,
      } = (await addressCluster(stack, "dev", { ...other, NOMAD_TOKEN: "theirs" })) as Addressed;
      expect(env).toEqual({
        NOMAD_ADDR: other.NOMAD_ADDR,
        NOMAD_TOKEN: "theirs",
        CONSUL_HTTP_ADDR: other.CONSUL_HTTP_ADDR,
        CONSUL_HTTP_TOKEN: undefined,
        NOMAD_CACERT: undefined,
        CONSUL_CACERT: undefined,
      });
      expect(addressed).toMatchObject({
        nomad_addr: other.NOMAD_ADDR,
        base_url: "https://api.example",
        admin_key_file: "/their/key",
      });
      expect(note).toContain(other.NOMAD_ADDR);
    }
  });

  test("sends the agents' authority to its own cluster only", async () => {
    const secured = { ...local(), agents_ca_file: "/own/ca.crt" };
    const own = (await addressCluster(secured, "dev", {})) as Addressed;
    expect(own.env).toMatchObject({ NOMAD_CACERT: "/own/ca.crt", CONSUL_CACERT: "/own/ca.crt" });
    const foreign = (await addressCluster(secured, "dev", other)) as Addressed;
    expect(foreign.env).toMatchObject({ NOMAD_CACERT: undefined, CONSUL_CACERT: undefined });
  });

  test("refuses to mix two clusters", async () => {
    const fault = await addressCluster(local(), "dev", { NOMAD_ADDR: other.NOMAD_ADDR });
    expect(fault).toContain(
      "Set CONSUL_HTTP_ADDR, PROSAAS_BASE_URL, PROSAAS_CA_FILE, PROSAAS_ADMIN_KEY_FILE of that cluster too",
    );
    expect(await addressCluster(local(), "dev", { ...other, PROSAAS_BASE_URL: undefined })).toContain(
      "Set PROSAAS_BASE_URL",
    );
    expect(await addressCluster(local(), "dev", { NOMAD_ADDR: "::" })).toContain("NOMAD_ADDR must be");
  });
});

describe("addressNomad", () => {
  test("needs only NOMAD_ADDR and keeps the stack's token", async () => {
    const { NOMAD_ADDR } = other;
    expect(await addressNomad(local(), "dev", {})).toEqual({
      address: "http://127.0.0.1:4646",
      token: "own-nomad",
      ca: undefined,
      note: null,
    });
    expect(await addressNomad(local(), "dev", { NOMAD_ADDR })).toMatchObject({ address: NOMAD_ADDR, token: undefined });
    expect(await addressNomad(null, "dev", { NOMAD_ADDR, NOMAD_TOKEN: "theirs" })).toEqual({
      address: NOMAD_ADDR,
      token: "theirs",
      ca: undefined,
      note: null,
    });
    expect(await addressNomad(null, "dev", {})).toBeNull();
  });
});
