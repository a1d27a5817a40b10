import { consulUrl, nomadUrl } from "../../cli/agents/connect.ts";
import { certificateOf } from "../../cli/certs/certificates.ts";
import { readSecret } from "../../cli/certs/secrets.ts";
import { deploy } from "../../stack/deploy.ts";
import type { Environment } from "../../stack/environment.ts";
import { createNomad } from "../../stack/nomad.ts";
import { writeStackFile } from "../../stack/stack_file.ts";
import { waitForJobs } from "../../stack/wait.ts";
import { copyShards } from "./bucket.ts";
import type { Durability } from "./bucket.ts";
import { edgesOf } from "./layout.ts";
import type { Say } from "./lifecycle.ts";
import type { Cluster } from "./node.ts";
import { serveReleases } from "./releases.ts";

/** Each edge is deployed after the one before it. */
const EDGES_WITHIN_MS = 120_000;

/** Ports of the job files, and of the services that stand in for WhatsApp and the carrier. */
const ports = {
  postgres: "5432",
  postgres_replica: "5433",
  pgbouncer: "6432",
  redis: "6379",
  simulator: "17070",
  simulator_media: "17071",
  call_agent: "17080",
};

/** Deploys the platform by the code of scripts/up, by the agents of the first server. */
export async function deployPlatform(cluster: Cluster, durability: Durability, say: Say): Promise<void> {
  const { layout } = cluster;
  const environment = await environmentOf(cluster);
  await actAsOperator(cluster);
  await copyShards(cluster, createNomad(environment.nomadAddr), durability);
  const admin = await deploy(environment, { step: say, say: (text) => say(`  ${text}`) });
  const edges = edgesOf(layout).length;
  // The job's own count is 1: an edge needs a node to itself.
  await createNomad(environment.nomadAddr)("POST", "/v1/job/nginx/scale", {
    Target: { Group: "nginx" },
    Count: edges,
    Message: "an edge on each node of the platform",
  });
  await waitForJobs(["nginx"], environment, { until: "settled", deadlineMs: EDGES_WITHIN_MS });
  await writeStackFile(environment, {
    admin,
    ca: certificateOf(cluster, "edge").ca,
    agentsCa: certificateOf(cluster, "ca").ca,
  });
  say(`the platform is up at ${environment.baseUrl}: PROSAAS_STACK=${layout.name} ./scripts/task status`);
}

/** Gives this process and its children what an operator has. */
async function actAsOperator(cluster: Cluster): Promise<void> {
  const { ca } = certificateOf(cluster, "ca");
  Object.assign(process.env, {
    NOMAD_TOKEN: await readSecret(cluster, "nomad-management"),
    CONSUL_HTTP_TOKEN: await readSecret(cluster, "consul-management"),
    NOMAD_CACERT: ca,
    CONSUL_CACERT: ca,
  });
}

async function environmentOf(cluster: Cluster): Promise<Environment> {
  const { layout, state } = cluster;
  const [server] = layout.servers;
  const [data] = layout.clients;
  const [edge] = edgesOf(layout);
  return {
    stack: layout.name,
    stateDir: state,
    baseUrl: `https://${edge!.address}`,
    simulatorUrl: `http://${data!.address}:${ports.simulator}`,
    nomadAddr: nomadUrl(server!),
    consulAddr: consulUrl(server!),
    task: `PROSAAS_STACK=${layout.name} ./scripts/task`,
    ports: {
      ...ports,
      data: data!.address,
      edge: edge!.address,
      data_pool: data!.pool,
      platform_pool: edge!.pool,
    },
    kind: "cluster",
    releasesUrl: await serveReleases(cluster),
    agentsStarted: false,
  };
}
