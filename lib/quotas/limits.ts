import { getQuotas } from "../db/index.ts";
import type { BusinessQuotas, BusinessScope } from "../db/index.ts";
import type { Amounts } from "./usage_cache.ts";

/** The limits of a business: its own quotas instead of `defaults`. */
export async function limitsOf<Q extends keyof BusinessQuotas>(
  scope: BusinessScope,
  defaults: Amounts<Q>,
): Promise<Amounts<Q>> {
  const own = (await getQuotas(scope)) ?? {};
  const names = Object.keys(defaults) as Q[];
  return Object.fromEntries(names.map((name) => [name, own[name] ?? defaults[name]])) as Amounts<Q>;
}
