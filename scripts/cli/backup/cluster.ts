import { existsSync } from "node:fs";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { connectConsul } from "../../stack/consul.ts";
import { createNomad, orNull } from "../../stack/nomad.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { readVariable } from "../../stack/secrets.ts";
import { listVolumes } from "../../stack/volumes.ts";
import type { Stack } from "../operator/stack.ts";
import type { FolderOfVolume, Variables } from "./sources.ts";

type Listed = { Path: string; ModifyIndex: number };

/** Secrets and settings of the platform; those of other jobs of the cluster are theirs to keep. */
export const isOurs = (path: string): boolean => path === "nomad/jobs" || /^(nomad\/jobs|prosaas)\//.test(path);

const listed = async (nomad: Nomad): Promise<Listed[]> =>
  (await nomad<Listed[]>("GET", "/v1/vars")).filter(({ Path }) => isOurs(Path));

export async function readVariables(nomad: Nomad): Promise<Variables> {
  const read = async ({ Path }: Listed) => {
    const variable = await orNull(nomad<{ Items: Record<string, string> }>("GET", `/v1/var/${Path}`));
    return [Path, variable?.Items ?? {}] as const;
  };
  return new Map(await Promise.all((await listed(nomad)).map(read)));
}

/** Changes whenever a setting or a secret does. */
export async function versionOfVariables(nomad: Nomad): Promise<string> {
  const lines = (await listed(nomad)).map(({ Path, ModifyIndex }) => `${Path} ${ModifyIndex}`);
  return lines.toSorted().join("\n");
}

export const volumesOfMachine =
  (nomadAddr: string): FolderOfVolume =>
  async (name) => {
    const volume = (await listVolumes(nomadAddr)).find((one) => one.Name === name);
    if (volume === undefined) return undefined;
    const nomad = createNomad(nomadAddr);
    const { HostPath } = await nomad<{ HostPath?: string }>("GET", `/v1/volume/host/${volume.ID}`);
    return HostPath !== undefined && existsSync(HostPath) ? HostPath : undefined;
  };

const services = z.array(z.object({ ServiceAddress: z.string(), ServicePort: z.int() }));

/**
 * Addresses of Postgres: of the database, and of the server as its superuser. DATABASE_URL names a managed database,
 * whose provider makes its backups.
 */
export async function postgresUrls(
  { nomad_addr, consul_http_addr }: Pick<Stack, "nomad_addr" | "consul_http_addr">,
  env: Record<string, string | undefined> = process.env,
): Promise<{ databaseUrl: string; serverUrl: string | null }> {
  if (env["DATABASE_URL"]) return { databaseUrl: env["DATABASE_URL"], serverUrl: null };
  const answer = await connectConsul(consul_http_addr).blockingGet("/v1/catalog/service/postgres", { index: 0 });
  const [instance] = services.parse(answer.body ?? []);
  const { Items } = await readVariable(createNomad(nomad_addr), "nomad/jobs/postgres");
  const password = Items["superuser_password"];
  if (instance === undefined || password === undefined)
    throw new AppError("unavailable", "Consul lists no service postgres; set DATABASE_URL if Postgres is managed.");
  const url = new URL(`postgres://postgres@${instance.ServiceAddress}:${instance.ServicePort}/prosaas`);
  url.password = encodeURIComponent(password);
  return { databaseUrl: url.toString(), serverUrl: url.toString() };
}
