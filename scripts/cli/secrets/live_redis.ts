import { createHash } from "node:crypto";
import { z } from "zod";
import { createRedis } from "../../../lib/redis/client.ts";
import { readVariable } from "../../stack/secrets.ts";
import { valuesOf } from "../../stack/secret_values.ts";
import { ScaleFailure } from "../scale/failure.ts";
import type { Target } from "../scale/target.ts";
import { pathOfJob, rootPath } from "./variables.ts";

const instances = z.array(z.object({ ServiceAddress: z.string(), ServicePort: z.int() }));

/**
 * Gives the running Redis the passwords in nomad/jobs/redis, as its next start would read them. Connected clients stay
 * connected, whatever password they used.
 */
export async function giveRedisPasswords(target: Pick<Target, "nomad" | "consul">): Promise<void> {
  const { body } = await target.consul.blockingGet("/v1/catalog/service/redis", { index: 0 });
  const [instance] = instances.parse(body);
  if (instance === undefined) throw new ScaleFailure("Consul lists no service redis: start it, then run this again.");
  const { Items: roots } = await readVariable(target.nomad, rootPath);
  const { Items } = await readVariable(target.nomad, pathOfJob("redis"));
  // While its own password is rotated, Redis may know the former one only.
  const candidates = valuesOf(roots["redis_operator_password"] ?? "");
  if (await givePasswords(`redis://${instance.ServiceAddress}:${instance.ServicePort}/0`, candidates, Items)) return;
  throw new ScaleFailure(
    "Redis refuses the password of its user operator: redis_operator_password in prosaas/secrets is not the one that " +
      "Redis started with. Correct it with task secrets:set NAME=redis_operator_password.",
  );
}

/** Sets the passwords of `items`, as nomad/jobs/redis has them. False if Redis refuses the operator's passwords. */
export async function givePasswords(
  url: string,
  operatorPasswords: readonly string[],
  items: Readonly<Record<string, string>>,
): Promise<boolean> {
  for (const password of operatorPasswords) if (await giveAs(password, url, items)) return true;
  return false;
}

async function giveAs(operator: string, url: string, items: Readonly<Record<string, string>>): Promise<boolean> {
  const login = new URL(url);
  login.username = "operator";
  login.password = operator;
  let refused = false;
  const redis = createRedis(login.href, "command", ({ message }) => {
    refused ||= /WRONGPASS|NOAUTH/.test(message);
  });
  try {
    for (const [item, secret] of Object.entries(items)) {
      const user = /^(\w+)_password$/.exec(item)?.[1];
      if (user === undefined) continue;
      const hashes = valuesOf(secret).map((value) => `#${createHash("sha256").update(value).digest("hex")}`);
      // One command, so that no login finds the user without a password.
      await redis.call("ACL", "SETUSER", user, "resetpass", ...hashes);
    }
    return true;
  } catch (error) {
    if (refused) return false;
    throw error;
  } finally {
    redis.disconnect();
  }
}
