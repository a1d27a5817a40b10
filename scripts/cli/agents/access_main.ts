import { Option } from "@commander-js/extra-typings";
import { dirname, join } from "node:path";
import { resultCommand } from "../arguments.ts";
import { trustFile } from "../certs/authority.ts";
import { readSecret, secretFile } from "../certs/secrets.ts";
import type { Stack } from "../operator/stack.ts";
import { writeStateFile } from "../../stack/state_file.ts";
import { grantConsul, grantNomad } from "./access.ts";
import { awaitLeader, consulUrl, nomadUrl } from "./connect.ts";
import { openClusterFolder } from "./nodes.ts";
import { programPath } from "./ship.ts";

/** Agents of a first installation find each other within seconds. */
const LEADER_WITHIN_MS = 90_000;

const { url, ca, json } = resultCommand(
  "access",
  `Bootstrap access control of Consul and Nomad, or bring it up to date.

Makes the tokens in access/ of the cluster's folder valid, writes the policies in consul/policies and
nomad/policies, and lets tasks and services log in to Consul with identities that Nomad signs. Then
describes the cluster in its folder: stack.json for these commands, which act on it by PROSAAS_STACK, and
cluster.env for the programs nomad and consul. Changes nothing that is right; run it after an upgrade.`,
  "-- --url URL [OPTIONS]",
)
  .requiredOption("--url <url>", "public address of the API, such as https://app.example.com")
  .addOption(
    new Option("--ca <file>", "authority of the edge's certificate")
      .env("PROSAAS_CA_FILE")
      .default("/etc/ssl/certs/ca-certificates.crt"),
  )
  .parse()
  .opts();

const cluster = await openClusterFolder();
const { state, nodes } = cluster;
const servers = nodes.filter(({ role }) => role === "server");
const say = (line: string) => void process.stderr.write(`${line}\n`);

const within = { withinMs: LEADER_WITHIN_MS };
const consul = await awaitLeader(cluster, servers, { product: "Consul", ...within });
await grantConsul(cluster, nodes, consul.agent);
say("Consul: policies and tokens of the agents");
const nomad = await awaitLeader(cluster, servers, { product: "Nomad", ...within });
await grantNomad(cluster, { nomad: nomad.agent, consul: consul.agent });
say("Nomad: policies, and the login of tasks and services to Consul");

const stack: Stack = {
  stack: process.env["PROSAAS_STACK"]!,
  consul_http_addr: consulUrl(consul.server),
  nomad_addr: nomadUrl(nomad.server),
  base_url: new URL(url).origin,
  ca_file: ca,
  admin_key_file: join(state, "admin.key"),
  nomad_token_file: secretFile(cluster, "nomad-management"),
  consul_token_file: secretFile(cluster, "consul-management"),
  agents_ca_file: trustFile(cluster),
};
await writeStateFile(join(state, "stack.json"), `${JSON.stringify(stack, null, 2)}\n`);
const environment = {
  NOMAD_ADDR: stack.nomad_addr,
  NOMAD_CACERT: trustFile(cluster),
  NOMAD_TOKEN: await readSecret(cluster, "nomad-management"),
  CONSUL_HTTP_ADDR: stack.consul_http_addr,
  CONSUL_CACERT: trustFile(cluster),
  CONSUL_HTTP_TOKEN: await readSecret(cluster, "consul-management"),
};
const file = join(state, "cluster.env");
const lines = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`);
const programs = ["nomad", "consul"].map((name) => dirname(programPath(name)));
await writeStateFile(file, `${lines.join("")}export PATH="$PATH:${programs.join(":")}"\n`);
say(`for nomad and consul in this shell: . ${file}`);
if (json)
  console.log(JSON.stringify({ state, nomad_addr: stack.nomad_addr, consul_http_addr: stack.consul_http_addr }));
