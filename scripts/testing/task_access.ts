import { expect } from "bun:test";
import { callLimitKey } from "../../lib/calls/limit.ts";
import { ownerKey } from "../../lib/routing/index.ts";
import { consulKeys } from "../stack/access/table/consul.ts";
import { intruder } from "../stack/access/table/nomad.ts";
import { readJobs, rolePolicies } from "../stack/access/table/subjects.ts";
import type { Caller } from "../cli/operator/http.ts";
import { createCaller } from "../cli/operator/http.ts";
import type { Stack } from "../cli/operator/stack.ts";
import { createNomad } from "../stack/nomad.ts";
import type { Allocation } from "../stack/nomad.ts";
import { resultOf } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";

/*
 * Attempts from inside the chroots of the end-to-end test's stack: every task of every job tries to read secrets, to
 * register jobs, volumes and services, to enter other allocations, and to use other shards' APIs.
 */

type Ask = {
  name: string;
  url: string;
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** By the socket of Nomad's API in the task's secrets. */
  socket?: boolean;
  /** With this variable of the task's environment as the token. */
  token?: "CONSUL_HTTP_TOKEN" | "SHARD_TOKEN";
};
type Answer = { status: number; text: string };

/** Runs inside a task: sends the given requests, and prints the status and the start of each answer. */
const probe = `
const { asked, exec } = JSON.parse(process.argv[1]);
const send = async ({ name, url, method = "GET", body, headers = {}, socket, token }) => {
  const secret = process.env[token ?? ""];
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(secret ? { authorization: "Bearer " + secret } : {}) },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(socket ? { unix: "/secrets/api.sock" } : {}),
  }).catch((error) => ({ status: 0, text: async () => String(error) }));
  return [name, { status: response.status, text: (await response.text()).slice(0, 200) }];
};
const enter = new Promise((resolve) => {
  const socket = new WebSocket(exec);
  const end = (status, text) => resolve([["exec", { status, text }]]);
  socket.onmessage = ({ data }) => end(200, String(data));
  socket.onclose = ({ code, reason }) => end(code, reason);
});
const answers = (await Promise.all([Promise.all(asked.map(send)), enter])).flat();
console.log(JSON.stringify(Object.fromEntries(answers)));
`;

const job = {
  ID: "intruder",
  Name: "intruder",
  Type: "batch",
  Datacenters: ["dc1"],
  TaskGroups: [
    { Name: "x", Count: 1, Tasks: [{ Name: "x", Driver: "exec", User: "nobody", Config: { command: "/bin/true" } }] },
  ],
};
type Targets = { nomad: string; consul: string; jobs: string[]; services: string[]; shards: string[]; victim: string };

const ofNomad = ({ nomad, jobs, victim }: Targets): Ask[] =>
  [false, true].flatMap((socket) => {
    const [base, by] = socket ? ["http://nomad", " by the socket"] : [nomad, ""];
    const secrets = ["prosaas/secrets", ...jobs.map((name) => `nomad/jobs/${name}`)];
    return [
      ...secrets.map((path) => ({ name: `read ${path}${by}`, url: `${base}/v1/var/${path}`, socket })),
      { name: `register a job${by}`, url: `${base}/v1/jobs`, method: "PUT", body: { Job: job }, socket },
      ...["create", "register"].map((verb) => ({
        name: `${verb} a volume${by}`,
        url: `${base}/v1/volume/host/${verb}`,
        method: "PUT",
        body: intruder,
        socket,
      })),
      { name: `read an allocation's files${by}`, url: `${base}/v1/client/fs/ls/${victim}?path=/`, socket },
      { name: `stop an allocation${by}`, url: `${base}/v1/allocation/${victim}/stop`, method: "PUT", socket },
    ];
  });

/** @param shard the number of a shard; 0 for other tasks */
function ofConsul(own: string, shard: number, { consul, services }: Targets): Ask[] {
  const token = "CONSUL_HTTP_TOKEN";
  // The one key that a task may write: scripts/stack/access/TABLE.md.
  const ownKey = own === "api" ? callLimitKey : ownerKey(shard);
  const write = (key: string): Ask => ({
    name: `write ${key}`,
    url: `${consul}/v1/kv/${key}`,
    method: "PUT",
    body: "x",
    token,
  });
  return [
    ...consulKeys.filter((key) => key !== ownKey).map(write),
    ...services.map((Name): Ask => ({
      name: `register as ${Name}`,
      url: `${consul}/v1/agent/service/register`,
      method: "PUT",
      body: { ID: `intruder-${own}`, Name },
      token,
    })),
    ...(shard > 0
      ? []
      : [{ name: "hold a lock", url: `${consul}/v1/session/create`, method: "PUT", body: {}, token } satisfies Ask]),
    { name: "read tokens", url: `${consul}/v1/acl/tokens`, token },
    { name: "read a key without a token", url: `${consul}/v1/kv/prosaas/whatsapp/num_shards` },
  ];
}

/** Another shard's API with the task's own token: a shard has its own, clients have the root of all. */
const ofShards = ({ shards }: Targets, own: string | undefined): Ask[] =>
  shards
    .filter((url) => url !== own)
    .map((url) => ({ name: `use the API of ${url}`, url: `${url}/sessions`, token: "SHARD_TOKEN" }));

type Entry = { Service: { Address: string; Port: number; Meta: Record<string, string> } };
type Running = Pick<Allocation, "ID" | "Name" | "ClientStatus" | "DesiredStatus"> & {
  TaskStates: Record<string, { State: string }> | null;
};

export async function checkTaskAccess(cluster: Cluster, stack: Stack): Promise<void> {
  const nomad = createNomad(stack.nomad_addr);
  const base = `http://${stack.consul_http_addr}`;
  const consul: Caller = createCaller({ baseUrl: base, token: process.env["CONSUL_HTTP_TOKEN"]! });
  const known = await readJobs();
  const shards = await consul<Entry[]>("GET", "/v1/health/service/whatsapp-shard");
  const urlOf = ({ Service: { Address, Port } }: Entry) => `http://${Address}:${Port}`;
  const allocations = await runningAllocations(nomad);
  const targets: Targets = {
    nomad: stack.nomad_addr,
    consul: base,
    jobs: known.map(({ job: name }) => name),
    services: known.flatMap(({ services }) => services),
    shards: shards.map(urlOf),
    victim: allocations.find(({ job: name }) => name === "api")!.ID,
  };
  const web = { origin: "https://evil.example", "content-type": "text/plain" };
  const page: Ask = { name: "post a job as a page", url: `${stack.nomad_addr}/v1/jobs`, method: "POST", headers: web };

  const holes: string[] = [];
  let tried = 0;
  for (const { ID, Name, job: own, tasks } of allocations) {
    for (const task of tasks) {
      const shard = shards.find(({ Service: { Meta } }) => Name === `wa-shards.shard[${Meta["shard_index"]}]`);
      const asked = [
        ...ofNomad(targets),
        ...ofConsul(own, shard === undefined ? 0 : Number(shard.Service.Meta["shard_index"]) + 1, targets),
        ...ofShards(targets, own === "wa-shards" && shard ? urlOf(shard) : undefined),
        { ...page, body: { Job: job } },
      ];
      const answers = await inside(cluster, ID, task, { asked, exec: execUrl(stack, targets.victim) });
      tried += Object.keys(answers).length;
      const open = Object.entries(answers).filter(([name, answer]) => !isRefused(name, answer));
      holes.push(...open.map(([name, { status, text }]) => `${Name} ${task}: ${name} → ${status} ${text}`));
    }
  }
  expect(holes).toEqual([]);
  expect(tried).toBeGreaterThan(500);
  // The intruder's requests had an effect nowhere.
  expect((await nomad<{ ID: string }[]>("GET", "/v1/jobs")).map(({ ID }) => ID)).not.toContain("intruder");
  await checkOwnRights(cluster, targets);
  await checkEntries(stack, targets.victim);
}

/** Of the roles in nomad/policies, only operators may enter a task. */
async function checkEntries(stack: Stack, allocation: string): Promise<void> {
  const nomad = createNomad(stack.nomad_addr);
  const enters = async (role: string) => {
    const grant = { Type: "client", Policies: [`prosaas-${role}`] };
    const { SecretID } = await nomad<{ SecretID: string }>("POST", "/v1/acl/token", grant);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    // Bun sends headers, which the type of browsers does not have.
    const socket = new WebSocket(execUrl(stack, allocation), {
      headers: { "x-nomad-token": SecretID },
    } as unknown as string[]);
    socket.addEventListener("message", () => resolve(true));
    socket.addEventListener("close", () => resolve(false));
    return promise.finally(() => socket.close());
  };
  const entered = await Promise.all(rolePolicies.nomad.map(async (role) => [role, await enters(role)]));
  expect(entered.filter(([, isIn]) => isIn)).toEqual([["operator", true]]);
}

/** Nomad closes the connection of a refused `alloc exec` with its reason. */
const isRefused = (name: string, { status, text }: Answer) =>
  name === "exec" ? /permission denied/i.test(text) : status === 401 || status === 403;

const execUrl = ({ nomad_addr }: Stack, allocation: string) => {
  const path = `/v1/client/allocation/${allocation}/exec`;
  return `${nomad_addr.replace("http", "ws")}${path}?task=api&tty=false&command=["/bin/sh","-c","id"]`;
};

async function inside(cluster: Cluster, allocation: string, task: string, request: object) {
  const exec = ["nomad", "alloc", "exec", "-i=false", "-t=false", "-task", task, allocation];
  const output = await cluster.run([...exec, "/bin/bun", "-e", probe, JSON.stringify(request)]);
  return resultOf(output) as Record<string, Answer>;
}

/** One allocation of each group, and every one of the shards. */
async function runningAllocations(nomad: ReturnType<typeof createNomad>) {
  const all = await nomad<(Running & { JobID: string; TaskGroup: string })[]>("GET", "/v1/allocations");
  const running = all.filter(
    ({ ClientStatus, DesiredStatus }) => ClientStatus === "running" && DesiredStatus === "run",
  );
  const chosen = new Map(
    running.map((one) => [one.JobID === "wa-shards" ? one.Name : `${one.JobID}.${one.TaskGroup}`, one]),
  );
  return [...chosen.values()].map(({ ID, Name, JobID, TaskStates }) => ({
    ID,
    Name,
    job: JobID,
    tasks: Object.entries(TaskStates ?? {})
      .filter(([, { State }]) => State === "running")
      .map(([task]) => task),
  }));
}

/** The API sees what it needs with the token of its identity, and nothing of the database. */
async function checkOwnRights(cluster: Cluster, { consul, victim, nomad }: Targets): Promise<void> {
  const token = "CONSUL_HTTP_TOKEN";
  const asked: Ask[] = [
    ...["whatsapp-shard", "prosaas-calls", "postgres"].map((name): Ask => ({
      name,
      url: `${consul}/v1/health/service/${name}`,
      token,
    })),
    { name: "variables", url: `${nomad}/v1/vars` },
  ];
  const answers = await inside(cluster, victim, "api", { asked, exec: `${nomad.replace("http", "ws")}/v1/none` });
  expect(answers["whatsapp-shard"]!.text).toContain('"Node"');
  expect(answers["prosaas-calls"]!.text).toContain('"Node"');
  expect(answers["postgres"]).toEqual({ status: 200, text: "[]" });
  expect(answers["variables"]!.text.trim()).toBe("[]");
}
