import { z } from "zod";
import { connectConsul } from "../../stack/consul.ts";
import { createNomad } from "../../stack/nomad.ts";
import { readStack } from "./stack.ts";

const variable = z.object({ Items: z.object({ postgres_owner_password: z.string() }) });
const services = z.array(z.object({ ServiceAddress: z.string(), ServicePort: z.int() })).min(1);

/** DATABASE_URL if set, else the running stack's primary, as the role that owns the tables. */
export async function databaseUrl(env: Record<string, string | undefined> = process.env): Promise<string> {
  if (env["DATABASE_URL"]) return env["DATABASE_URL"];
  const stack = await readStack();
  const [secrets, primary] = await Promise.all([
    createNomad(stack.nomad_addr)("GET", "/v1/var/prosaas/secrets"),
    connectConsul(stack.consul_http_addr).blockingGet("/v1/catalog/service/postgres", { index: 0 }),
  ]);
  const { Items } = variable.parse(secrets);
  const [{ ServiceAddress, ServicePort }] = services.parse(primary.body) as [z.infer<typeof services>[number]];
  const login = `prosaas:${encodeURIComponent(Items.postgres_owner_password)}`;
  return `postgres://${login}@${ServiceAddress}:${ServicePort}/prosaas`;
}
