import { z } from "zod";
import { connectConsul } from "../../stack/consul.ts";
import { createNomad } from "../../stack/nomad.ts";
import { presented } from "../../stack/secret_values.ts";
import { readStack } from "./stack.ts";
import type { Stack } from "./stack.ts";

const variable = z.object({ Items: z.object({ postgres_owner_password: z.string() }) });
const services = z.array(z.object({ ServiceAddress: z.string(), ServicePort: z.int() })).min(1);

type Environment = Record<string, string | undefined>;

/** DATABASE_URL if set, else the running stack's primary, as the role that owns the tables. */
export async function databaseUrl(env: Environment = process.env): Promise<string> {
  return env["DATABASE_URL"] || databaseUrlOf(await readStack(), "postgres");
}

/** A server of a stack's database by its service, as the role that owns the tables. */
export async function databaseUrlOf(stack: Stack, service: "postgres" | "postgres-replica"): Promise<string> {
  const [secrets, server] = await Promise.all([
    createNomad(stack.nomad_addr)("GET", "/v1/var/prosaas/secrets"),
    connectConsul(stack.consul_http_addr).blockingGet(`/v1/catalog/service/${service}`, { index: 0 }),
  ]);
  const { Items } = variable.parse(secrets);
  const [{ ServiceAddress, ServicePort }] = services.parse(server.body) as [z.infer<typeof services>[number]];
  const login = `prosaas:${encodeURIComponent(presented(Items.postgres_owner_password))}`;
  return `postgres://${login}@${ServiceAddress}:${ServicePort}/prosaas`;
}
