import { readFileSync } from "node:fs";
import { z } from "zod";
import { deadline } from "../../../../lib/core/time.ts";
import type { ConsulClient } from "../../../../lib/consul/client.ts";
import type { Nomad } from "../../../stack/nomad.ts";
import { answered, HttpFailure } from "../../operator/http.ts";
import type { ServersNow } from "../checks/servers.ts";

const health = z.object({
  FailureTolerance: z.int(),
  Servers: z.array(
    z.object({
      Name: z.string(),
      SerfStatus: z.string(),
      Healthy: z.boolean(),
      Voter: z.boolean(),
      Leader: z.boolean(),
      LastIndex: z.number(),
    }),
  ),
});

const requestMs = 10_000;

export const readNomadServers = (nomad: Nomad, address: string): Promise<ServersNow> =>
  readServers("Nomad", address, () => nomad("GET", "/v1/status/leader"), {
    token: process.env["NOMAD_TOKEN"],
    caFile: process.env["NOMAD_CACERT"],
  });

export const readConsulServers = (consul: ConsulClient): Promise<ServersNow> =>
  readServers("Consul", consul.url, async () => (await consul.blockingGet("/v1/status/leader", { index: 0 })).body, {
    token: process.env["CONSUL_HTTP_TOKEN"],
    caFile: process.env["CONSUL_CACERT"],
  });

type Access = { token: string | undefined; caFile: string | undefined };

async function readServers(
  agent: ServersNow["agent"],
  origin: string,
  ask: () => Promise<unknown>,
  access: Access,
): Promise<ServersNow> {
  const leader = await ask().catch((error: unknown) => {
    if (error instanceof Error && error.message.includes("No cluster leader")) return "";
    throw error;
  });
  if (typeof leader !== "string" || leader === "") return { agent, leader: null, servers: [], tolerance: 0 };
  const { Servers, FailureTolerance } = await readHealth(origin, access);
  return {
    agent,
    leader,
    tolerance: FailureTolerance,
    servers: Servers.map(({ Name, SerfStatus, Healthy, Voter, Leader, LastIndex }) => ({
      name: Name,
      serf: SerfStatus,
      healthy: Healthy,
      voter: Voter,
      leads: Leader,
      lastIndex: LastIndex,
    })),
  };
}

/** Both agents have this endpoint. It answers 429, with the same body, while a server is unhealthy. */
async function readHealth(origin: string, { token, caFile }: Access): Promise<z.infer<typeof health>> {
  const url = new URL("/v1/operator/autopilot/health", origin);
  const request = fetch(url, {
    ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
    ...(caFile ? { tls: { ca: readFileSync(caFile, "utf8") } } : {}),
    signal: deadline(requestMs),
  });
  const response = await answered(url, request);
  if (response.ok || response.status === 429) return health.parse(await response.json());
  const text = (await response.text()).slice(0, 200);
  throw new HttpFailure(response.status, `${url.href} answered ${response.status}: ${text}`);
}
