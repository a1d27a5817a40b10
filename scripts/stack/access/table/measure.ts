import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRedis } from "../../../../lib/redis/client.ts";
import { startConsulServer } from "../../../../lib/testing/consul_server.ts";
import { startNomadServer } from "../../../../lib/testing/nomad_server.ts";
import { createRedisServer } from "../../../../lib/testing/redis_server.ts";
import { redisUsers, writeRedisUsers } from "../../../../lib/testing/redis_users.ts";
import { until } from "../../../../lib/testing/until.ts";
import { createCaller } from "../../../cli/operator/http.ts";
import { root } from "../../environment.ts";
import { ensureConsulAccess, ensurePolicy } from "../consul.ts";
import { ensureNomadAccess } from "../nomad.ts";
import { consulKeys, measureConsul } from "./consul.ts";
import { measureNomad, secretPaths, victims } from "./nomad.ts";
import { measureRedis } from "./redis.ts";
import type { Section } from "./row.ts";
import { jobPolicyNames, policyNames, readJobs } from "./subjects.ts";

const nobody = "no token";

/** Starts servers with the policies of this checkout, and tries every right with every token. */
export async function measureTable(): Promise<Section[]> {
  return Promise.all([consulSection(), nomadSection(), redisSection()]);
}

async function consulSection(): Promise<Section> {
  const [management, agent] = [crypto.randomUUID(), crypto.randomUUID()];
  const server = await startConsulServer({
    node_name: "node",
    acl: { enabled: true, default_policy: "deny", tokens: { initial_management: management, agent } },
  });
  try {
    const consul = createCaller({ baseUrl: `http://${server.addr}`, token: management });
    await until(() => consul("GET", "/v1/acl/tokens"), { what: "Consul's access control" });
    const agents = { nomadServer: crypto.randomUUID(), nomadClient: crypto.randomUUID() };
    await ensureConsulAccess({ consul, agents: [{ node: "node", token: agent }], tokens: agents });
    const tokenOf = async (grant: object) =>
      (await consul<{ SecretID: string }>("PUT", "/v1/acl/token", grant)).SecretID;
    const services = (await readJobs()).flatMap(({ services: own }) => own);
    const tokens = new Map<string, string | undefined>();
    for (const name of await policyNames("consul"))
      tokens.set(name, await tokenOf({ Policies: [{ Name: `prosaas-${name}` }] }));
    const ofShard = await Bun.file(join(root, "consul/policies/shards/shard.hcl")).text();
    await ensurePolicy(consul, "prosaas-shard-1", ofShard.replaceAll("${shard}", "1"));
    tokens.set("shard 1", await tokenOf({ Policies: [{ Name: "prosaas-shard-1" }] }));
    tokens.set("agent of a node", agent);
    // As the binding rule of services gives it.
    const [service] = services;
    tokens.set(`service ${service}`, await tokenOf({ ServiceIdentities: [{ ServiceName: service }] }));
    tokens.set(nobody, undefined);
    for (const key of consulKeys) await consul("PUT", `/v1/kv/${key}`, 1);
    for (const name of services) {
      await consul("PUT", "/v1/agent/service/register", { ID: name, Name: name, Port: 1 });
      const listed = () => consul<unknown[]>("GET", `/v1/catalog/service/${name}`);
      await until(async () => (await listed()).length > 0, { what: `${name} in the catalogue` });
    }
    return await measureConsul(server.addr, tokens, services);
  } finally {
    await server.stop();
  }
}

async function nomadSection(): Promise<Section> {
  const token = crypto.randomUUID();
  const server = await startNomadServer({ acl: { enabled: true } });
  try {
    const nomad = createCaller({ baseUrl: server.addr, token });
    const allowReset = async () => {
      throw new Error("a new server has another management token");
    };
    await ensureNomadAccess({ nomad, token, allowReset });
    for (const Path of secretPaths) await nomad("PUT", `/v1/var/${Path}`, { Path, Items: { secret: "secret" } });
    for (const job of victims) await nomad("PUT", "/v1/jobs", job);
    const tokens = new Map<string, string | undefined>();
    const jobs = await jobPolicyNames();
    for (const name of [...(await policyNames("nomad")), ...jobs]) {
      const grant = { Type: "client", Policies: [`prosaas-${name}`] };
      const { SecretID } = await nomad<{ SecretID: string }>("POST", "/v1/acl/token", grant);
      tokens.set(jobs.includes(name) ? `job ${name}` : name, SecretID);
    }
    tokens.set(nobody, undefined);
    return await measureNomad(server.addr, tokens);
  } finally {
    await server.stop();
  }
}

async function redisSection(): Promise<Section> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-access-"));
  const server = await createRedisServer({ users: writeRedisUsers(folder) });
  await server.start();
  const redis = createRedis(server.url, "queue");
  try {
    return await measureRedis(redis, redisUsers);
  } finally {
    redis.disconnect();
    await server.stop();
    await rm(folder, { recursive: true });
  }
}
