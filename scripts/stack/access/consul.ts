import { orNull } from "../nomad.ts";
import type { Caller } from "../../cli/operator/http.ts";
import { readPolicies } from "./policies.ts";

/*
 * Access control in Consul. Its default is to deny. A job's tasks and services hold no static token: Nomad signs an
 * identity for each, and Consul exchanges it for a token, by the rules of one auth method:
 *
 *   service of any job ─▶ may register under its own name
 *   task of job X      ─▶ policy prosaas-X (consul/policies/X.hcl); without that policy the login fails
 *
 * The locks of shards are the exception (shard_locks.ts).
 */

/** The name that Nomad's clients use unless they are configured otherwise. */
const authMethod = "nomad-workloads";
const audience = "consul.io";

const policyName = (file: string) => `prosaas-${file}`;

/** Tokens of Nomad's agents, which log in with a token and not with an identity. */
export type ConsulTokens = { nomadServer: string; nomadClient: string };

export type ConsulAccess = {
  /** With the management token. */
  consul: Caller;
  /** Consul's own agents: the name of each one's node, and its token. */
  agents: readonly { node: string; token: string }[];
  tokens: ConsulTokens;
};

type Policy = { ID: string; Name: string; Rules: string };
type AuthMethod = { Name: string; Type: string; DisplayName: string; Config: Record<string, unknown> };
type BindingRule = {
  ID?: string;
  Description: string;
  AuthMethod: string;
  BindType: string;
  BindName: string;
  Selector: string;
};

/** Creates or corrects the policies and the tokens of the agents; what is right already is left alone. */
export async function ensureConsulAccess({ consul, agents, tokens }: ConsulAccess): Promise<void> {
  const policies = await readPolicies("consul/policies");
  await Promise.all([...policies].map(([name, rules]) => ensurePolicy(consul, policyName(name), rules)));
  const { Config } = await consul<{ Config: { Datacenter: string } }>("GET", "/v1/agent/self");
  await Promise.all([
    ...agents.map(({ node, token }) =>
      ensureToken(consul, token, {
        Description: `agent ${node}`,
        NodeIdentities: [{ NodeName: node, Datacenter: Config.Datacenter }],
      }),
    ),
    ensureToken(consul, tokens.nomadServer, {
      Description: "Nomad server",
      Policies: [{ Name: policyName("nomad-server") }],
    }),
    ensureToken(consul, tokens.nomadClient, {
      Description: "Nomad client",
      Policies: [{ Name: policyName("nomad-client") }],
    }),
  ]);
}

/** Nomad's address for Consul's servers, and the authority of its certificate if it has one. */
export type NomadKeys = { nomadAddr: string; ca?: string };

/**
 * Lets the workloads of a Nomad log in. Consul fetches the keys that Nomad signs identities with, so a Nomad server
 * must be up.
 */
export async function ensureWorkloadLogin(consul: Caller, keys: NomadKeys): Promise<void> {
  await ensureAuthMethod(consul, keys);
  const rules = await consul<BindingRule[]>("GET", `/v1/acl/binding-rules?authmethod=${authMethod}`);
  for (const rule of bindingRules) await ensureBindingRule(consul, rules, rule);
}

const bindingRules: readonly BindingRule[] = [
  {
    Description: "A service registers under its own name",
    AuthMethod: authMethod,
    BindType: "service",
    BindName: "${value.nomad_service}",
    Selector: '"nomad_service" in value',
  },
  {
    Description: "A task has the policy of its job",
    AuthMethod: authMethod,
    BindType: "policy",
    BindName: policyName("${value.nomad_job_id}"),
    Selector: '"nomad_service" not in value and value.nomad_namespace == "default"',
  },
];

export async function ensurePolicy(consul: Caller, name: string, rules: string): Promise<void> {
  const existing = await orNull(consul<Policy>("GET", `/v1/acl/policy/name/${name}`));
  if (existing?.Rules === rules) return;
  await consul("PUT", existing === null ? "/v1/acl/policy" : `/v1/acl/policy/${existing.ID}`, {
    Name: name,
    Rules: rules,
  });
}

type Grant = {
  Description: string;
  Policies?: { Name: string }[];
  NodeIdentities?: { NodeName: string; Datacenter: string }[];
};

export async function ensureToken(consul: Caller, secret: string, grant: Grant): Promise<void> {
  const header = { authorization: `Bearer ${secret}` };
  // 403: Consul does not know the token.
  const existing = await orNull(consul<object>("GET", "/v1/acl/token/self", undefined, header), [403, 404]);
  if (existing === null) await consul("PUT", "/v1/acl/token", { SecretID: secret, ...grant });
}

async function ensureAuthMethod(consul: Caller, { nomadAddr, ca }: NomadKeys): Promise<void> {
  const wanted: AuthMethod = {
    Name: authMethod,
    Type: "jwt",
    DisplayName: "Nomad workloads",
    Config: {
      JWKSURL: new URL("/.well-known/jwks.json", nomadAddr).href,
      ...(ca === undefined ? {} : { JWKSCACert: ca }),
      JWTSupportedAlgs: ["RS256"],
      BoundAudiences: [audience],
      ClaimMappings: {
        nomad_namespace: "nomad_namespace",
        nomad_job_id: "nomad_job_id",
        nomad_task: "nomad_task",
        nomad_service: "nomad_service",
      },
    },
  };
  const existing = await orNull(consul<AuthMethod>("GET", `/v1/acl/auth-method/${authMethod}`));
  if (existing !== null && Bun.deepMatch(wanted, existing)) return;
  await consul("PUT", existing === null ? "/v1/acl/auth-method" : `/v1/acl/auth-method/${authMethod}`, wanted);
}

async function ensureBindingRule(consul: Caller, existing: readonly BindingRule[], wanted: BindingRule): Promise<void> {
  const same = existing.find(({ Description }) => Description === wanted.Description);
  if (same !== undefined && Bun.deepMatch(wanted, same)) return;
  await consul("PUT", same === undefined ? "/v1/acl/binding-rule" : `/v1/acl/binding-rule/${same.ID}`, wanted);
}
