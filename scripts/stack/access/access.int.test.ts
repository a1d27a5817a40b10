import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { startConsulServer } from "../../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../../lib/testing/consul_server.ts";
import { startNomadServer } from "../../../lib/testing/nomad_server.ts";
import type { NomadServer } from "../../../lib/testing/nomad_server.ts";
import { until } from "../../../lib/testing/until.ts";
import { createCaller } from "../../cli/operator/http.ts";
import type { Caller } from "../../cli/operator/http.ts";
import { ensureConsulAccess, ensureWorkloadLogin } from "./consul.ts";
import { ensureNomadAccess } from "./nomad.ts";
import { ensureShardLocks, shardLocksPath } from "./shard_locks.ts";

const management = crypto.randomUUID();
const agentToken = crypto.randomUUID();
const tokens = { nomadServer: crypto.randomUUID(), nomadClient: crypto.randomUUID() };
let consulServer: ConsulServer;
let nomadServer: NomadServer;
let consul: Caller;

const consulAs = (token?: string) =>
  createCaller({ baseUrl: `http://${consulServer.addr}`, ...(token ? { token } : {}) });
const nomadAs = (token?: string) => createCaller({ baseUrl: nomadServer.addr, ...(token ? { token } : {}) });
const refuse = async (index: string): Promise<void> => {
  throw new Error(`a reset was asked for: ${index}`);
};

beforeAll(async () => {
  consulServer = await startConsulServer({
    node_name: "test",
    acl: { enabled: true, default_policy: "deny", tokens: { initial_management: management, agent: agentToken } },
  });
  nomadServer = await startNomadServer({
    acl: { enabled: true },
    consul: { address: consulServer.addr, token: tokens.nomadServer },
  });
  consul = consulAs(management);
  await until(() => consul("GET", "/v1/acl/tokens"), { what: "Consul's access control" });
});

afterAll(async () => {
  await nomadServer.stop();
  await consulServer.stop();
});

describe("Consul", () => {
  const ensure = async () => {
    await ensureConsulAccess({ consul, agents: [{ node: "test", token: agentToken }], tokens });
    await ensureWorkloadLogin(consul, { nomadAddr: nomadServer.addr });
  };
  const written = async () =>
    Promise.all(
      ["policies", "tokens", "auth-methods", "binding-rules"].map((kind) => consul<unknown>("GET", `/v1/acl/${kind}`)),
    );

  test("a second run writes nothing", async () => {
    await ensure();
    const before = await written();
    expect(JSON.stringify(before)).toContain("prosaas-api");
    await ensure();
    expect(await written()).toEqual(before);
  });

  test("an agent's token registers, and writes no key", async () => {
    const client = consulAs(tokens.nomadClient);
    await client("PUT", "/v1/agent/service/register", { Name: "any", Port: 1 });
    await expect(client("PUT", "/v1/kv/prosaas/whatsapp/num_shards", 9)).rejects.toThrow(/403/);
    await expect(client("GET", "/v1/acl/tokens")).rejects.toThrow(/403/);
  });

  test("a request without a token reads nothing", async () => {
    await expect(consulAs()("GET", "/v1/kv/prosaas/whatsapp/num_shards")).rejects.toThrow(/403/);
    expect(await consulAs()<object>("GET", "/v1/catalog/services")).toEqual({});
  });
});

describe("Nomad", () => {
  const token = crypto.randomUUID();
  const ensure = (secret: string, allowReset = refuse) =>
    ensureNomadAccess({ nomad: nomadAs(secret), token: secret, allowReset });

  test("takes the given management token once", async () => {
    await ensure(token);
    await ensure(token);
    expect(await nomadAs(token)<{ Type: string }>("GET", "/v1/acl/token/self")).toMatchObject({ Type: "management" });
  });

  test("refuses jobs, volumes and variables without a token", async () => {
    const stranger = nomadAs();
    const job = {
      ID: "x",
      Name: "x",
      Type: "batch",
      Datacenters: ["dc1"],
      TaskGroups: [{ Name: "x", Count: 1, Tasks: [{ Name: "x", Driver: "exec", Config: { command: "true" } }] }],
    };
    expect(await stranger<unknown[]>("GET", "/v1/vars")).toEqual([]);
    await expect(stranger("GET", "/v1/var/nomad/jobs/api")).rejects.toThrow(/403/);
    await expect(stranger("PUT", "/v1/jobs", { Job: job })).rejects.toThrow(/403/);
    await expect(
      stranger("PUT", "/v1/volume/host/create", { Volume: { Name: "x", PluginID: "mkdir" } }),
    ).rejects.toThrow(/403/);
    await expect(stranger("GET", "/v1/nodes")).rejects.toThrow(/403/);
  });

  test("roles other than operator read no secret", async () => {
    const manager = nomadAs(token);
    await manager("PUT", "/v1/var/nomad/jobs/api", { Path: "nomad/jobs/api", Items: { password: "secret" } });
    const as = async (policy: string) => {
      const { SecretID } = await manager<{ SecretID: string }>("POST", "/v1/acl/token", {
        Type: "client",
        Policies: [`prosaas-${policy}`],
      });
      return nomadAs(SecretID);
    };
    for (const role of ["deployer", "read-only"]) {
      await expect((await as(role))("GET", "/v1/var/nomad/jobs/api")).rejects.toThrow(/403/);
      expect(await (await as(role))<unknown[]>("GET", "/v1/jobs")).toEqual([]);
    }
    expect(await (await as("operator"))<object>("GET", "/v1/var/nomad/jobs/api")).toMatchObject({
      Items: { password: "secret" },
    });
  });

  const lockTokens = async () => {
    const path = `/v1/var/${shardLocksPath}`;
    return (await nomadAs(token)<{ Items: Record<string, string> }>("GET", path)).Items;
  };

  test("has a token for each shard's lock", async () => {
    const nomad = nomadAs(token);
    await ensureShardLocks({ nomad, consul }, 2);
    const items = await lockTokens();
    await ensureShardLocks({ nomad, consul }, 2);
    expect(await lockTokens()).toEqual(items);
    const own = consulAs(items["CONSUL_HTTP_TOKEN_2"]);
    await own("PUT", "/v1/kv/prosaas/whatsapp/shards/2/owner", "x");
    await expect(own("PUT", "/v1/kv/prosaas/whatsapp/shards/1/owner", "x")).rejects.toThrow(/403/);
  });

  test("gets no further lock without Consul's policies", async () => {
    const items = await lockTokens();
    const access = { nomad: nomadAs(token), consul: consulAs(items["CONSUL_HTTP_TOKEN_1"]) };
    await ensureShardLocks(access, 2);
    await expect(ensureShardLocks(access, 3)).rejects.toThrow(/management token/);
    expect(await lockTokens()).toEqual(items);
  });

  test("replaces a management token that was lost", async () => {
    const other = crypto.randomUUID();
    await ensure(other, (index) =>
      Bun.write(join(nomadServer.dataDir, "server/acl-bootstrap-reset"), index).then(() => {}),
    );
    expect(await nomadAs(other)<{ Type: string }>("GET", "/v1/acl/token/self")).toMatchObject({ Type: "management" });
  });
});
