import { createCaller } from "../../../cli/operator/http.ts";
import type { Stack } from "../../../cli/operator/stack.ts";
import { connectConsul } from "../../../stack/consul.ts";
import { createNomad } from "../../../stack/nomad.ts";
import { writeStateFile } from "../../../stack/state_file.ts";
import { consulUrl, nomadUrl } from "../../../cli/agents/connect.ts";
import type { ClusterNode } from "../../cluster/layout.ts";
import type { Stage } from "./stage.ts";

/** Changes the addresses of the run and of its commands. */
async function readdress(stage: Stage, addresses: Partial<Stack>): Promise<void> {
  stage.stack = { ...stage.stack, ...addresses };
  await writeStateFile(`${stage.state}/stack.json`, `${JSON.stringify(stage.stack, null, 2)}\n`);
}

/**
 * Points requests of the run and its commands to the edge of another node, as the DNS record of a real platform would:
 * the edge of a drained node stops.
 */
export async function useEdge(stage: Stage, { address }: ClusterNode): Promise<void> {
  const { stack } = stage;
  const [ca, token] = await Promise.all([Bun.file(stack.ca_file).text(), Bun.file(stack.admin_key_file).text()]);
  const baseUrl = `https://${address}`;
  await readdress(stage, { base_url: baseUrl });
  stage.api = createCaller({ baseUrl, token: token.trim(), ca });
}

/** Points the commands of the run to the agents of another server, as an operator does whose server was lost. */
export async function useServer(stage: Stage, server: ClusterNode): Promise<void> {
  const [nomadAddr, consulAddr] = [nomadUrl(server), consulUrl(server)];
  await readdress(stage, { nomad_addr: nomadAddr, consul_http_addr: consulAddr });
  // Commands refuse addresses in their environment that differ from those of the stack.
  stage.env = { ...stage.env, NOMAD_ADDR: nomadAddr, CONSUL_HTTP_ADDR: consulAddr };
  stage.nomad = createNomad(nomadAddr);
  stage.consul = connectConsul(consulAddr);
}
