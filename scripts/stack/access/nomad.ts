import { HttpFailure } from "../../cli/operator/http.ts";
import type { Caller } from "../../cli/operator/http.ts";
import { orNull } from "../nomad.ts";
import { readPolicies } from "./policies.ts";

/**
 * The policies for people and deploys; a token under one: `nomad acl token create -policy=prosaas-deployer`. Those in
 * `jobs` belong to the identity of the job of their name.
 */
const policyName = (file: string) => `prosaas-${file}`;

export type NomadAccess = {
  /** With `token`. */
  nomad: Caller;
  /** The management token: Nomad takes the one it is given at its first start. */
  token: string;
  /** Writes the file that lets the server be bootstrapped once more; its content is a number that Nomad names. */
  allowReset: (index: string) => Promise<void>;
};

/** Bootstraps Nomad's access control with the given token, and writes nomad/policies. Keeps what is right. */
export async function ensureNomadAccess({ nomad, token, allowReset }: NomadAccess): Promise<void> {
  // 403: Nomad does not know the token.
  const self = await orNull(nomad<object>("GET", "/v1/acl/token/self"), [403, 404]);
  if (self === null) await bootstrap(nomad, token, allowReset);
  const [roles, jobs] = await Promise.all([readPolicies("nomad/policies"), readPolicies("nomad/policies/jobs")]);
  await Promise.all([
    ...[...roles].map(([name, rules]) => ensurePolicy(nomad, policyName(name), { Rules: rules })),
    ...[...jobs].map(([job, rules]) =>
      ensurePolicy(nomad, policyName(job), { Rules: rules, JobACL: { Namespace: "default", JobID: job } }),
    ),
  ]);
}

/** A stack whose token file was lost has been bootstrapped with another token. Root on the server may reset that. */
async function bootstrap(nomad: Caller, token: string, allowReset: NomadAccess["allowReset"]): Promise<void> {
  const request = () => nomad("POST", "/v1/acl/bootstrap", { BootstrapSecret: token });
  try {
    await request();
  } catch (error) {
    const index = error instanceof HttpFailure ? /reset index: (\d+)/.exec(error.message)?.[1] : undefined;
    if (index === undefined) throw error;
    await allowReset(index);
    await request();
  }
}

/** `JobACL`: the job whose identity has the policy. */
type Policy = { Rules: string; JobACL?: { Namespace: string; JobID: string } };

async function ensurePolicy(nomad: Caller, name: string, policy: Policy): Promise<void> {
  const existing = await orNull(nomad<Policy>("GET", `/v1/acl/policy/${name}`));
  const isSame = existing?.Rules === policy.Rules && existing.JobACL?.JobID === policy.JobACL?.JobID;
  if (!isSame) await nomad("POST", `/v1/acl/policy/${name}`, { Name: name, ...policy });
}
