import { askAs, rowsOf, succeeding } from "./row.ts";
import type { Ask, Attempt, Section } from "./row.ts";

const task = { Name: "x", Driver: "exec", User: "nobody", Config: { command: "/bin/true" } };
const jobNamed = (id: string, more: object = {}) => ({
  Job: {
    ID: id,
    Name: id,
    Type: "batch",
    Datacenters: ["dc1"],
    TaskGroups: [{ Name: "x", Count: 1, Tasks: [task] }],
    ...more,
  },
});
/** The jobs that attempts act on: registered before by an operator. */
export const victims = [jobNamed("victim", { Type: "service" }), jobNamed("parameterized", { ParameterizedJob: {} })];
/** The secrets that attempts read. */
export const secretPaths = ["prosaas/secrets", "nomad/jobs/api"];

/** The volume that attempts make. */
export const intruder = {
  Volume: {
    Name: "intruder",
    Type: "host",
    PluginID: "mkdir",
    RequestedCapacityMinBytes: 1e6,
    RequestedCapacityMaxBytes: 1e6,
    RequestedCapabilities: [{ AccessMode: "single-node-writer", AttachmentMode: "file-system" }],
  },
};
const absent = "00000000-0000-4000-8000-000000000000";

/** Any answer but a refusal: what is allowed may fail for another reason, such as an unknown node. */
const isAllowed = ({ status, text }: { status: number; text: string }) =>
  status !== 401 && status !== 403 && !/permission denied/i.test(text);

/** The filtered list has the entry. */
const lists = async (ask: Ask, path: string, entry: string) => {
  const answer = await ask("GET", path);
  return isAllowed(answer) && answer.text.includes(entry);
};
const request = (name: string, method: string, path: string, body?: unknown): Attempt => ({
  name,
  succeeds: async (ask) => isAllowed(await ask(method, path, body)),
});

const attempts: readonly Attempt[] = [
  { name: "list secrets", succeeds: (ask) => lists(ask, "/v1/vars", "nomad/jobs/api") },
  request("read secrets of the platform", "GET", "/v1/var/prosaas/secrets"),
  request("read secrets of a job", "GET", "/v1/var/nomad/jobs/api"),
  request("write secrets", "PUT", "/v1/var/nomad/jobs/intruder", { Path: "nomad/jobs/intruder", Items: { x: "1" } }),
  { name: "list jobs", succeeds: (ask) => lists(ask, "/v1/jobs", "victim") },
  request("read jobs", "GET", "/v1/job/victim"),
  request("register jobs", "PUT", "/v1/jobs", jobNamed("intruder")),
  request("scale jobs", "POST", "/v1/job/victim/scale", { Target: { Group: "x" }, Count: 1 }),
  request("dispatch jobs", "POST", "/v1/job/parameterized/dispatch", {}),
  request("stop jobs", "DELETE", "/v1/job/intruder"),
  request("create volumes", "PUT", "/v1/volume/host/create", intruder),
  request("register volumes", "PUT", "/v1/volume/host/register", intruder),
  request("list nodes", "GET", "/v1/nodes"),
  request("drain nodes", "POST", `/v1/node/${absent}/drain`, { DrainSpec: null }),
  request("purge nodes", "POST", `/v1/node/${absent}/purge`),
  request("read agents", "GET", "/v1/agent/self"),
  request("change agents", "GET", "/v1/agent/keyring/list"),
  request("read servers", "GET", "/v1/operator/raft/configuration"),
  request("change the scheduler", "PUT", "/v1/operator/scheduler/configuration", {}),
  request("take snapshots", "GET", "/v1/operator/snapshot"),
  request("read tokens", "GET", "/v1/acl/tokens"),
  request("write policies", "POST", "/v1/acl/policy/intruder", { Name: "intruder", Rules: "" }),
];

/** Headers that a browser sends for a page of another site: no token, and a body that needs no preflight request. */
const ofWebPage = { origin: "https://evil.example", "content-type": "text/plain" };

/** Tries every right with every token, on a server that has the jobs and secrets above. */
export async function measureNomad(addr: string, tokens: ReadonlyMap<string, string | undefined>): Promise<Section> {
  const headers = new Map<string, Record<string, string>>();
  for (const [token, secret] of tokens) headers.set(token, secret === undefined ? {} : { "x-nomad-token": secret });
  headers.set("a web page, without a token", ofWebPage);
  const rows = await rowsOf(headers, async (sent) => ({ may: await succeeding(attempts, askAs(addr, sent)) }));
  return { title: "Nomad", columns: ["may"], rows };
}
