import type { Stack } from "./stack.ts";

/** The environment variables that nomad, consul and this repository's commands read. */
type Environment = Record<string, string | undefined>;

export type Addressed = {
  stack: Stack;
  /** Environment of this process and its children. */
  env: {
    NOMAD_ADDR: string;
    NOMAD_TOKEN: string | undefined;
    CONSUL_HTTP_ADDR: string;
    CONSUL_HTTP_TOKEN: string | undefined;
    NOMAD_CACERT: string | undefined;
    CONSUL_CACERT: string | undefined;
  };
  /** Names the cluster, unless it is the stack of this machine. */
  note: string | null;
};

const baseUrlKey = "PROSAAS_BASE_URL";
const caKey = "PROSAAS_CA_FILE";
const adminKeyKey = "PROSAAS_ADMIN_KEY_FILE";

export type NomadAddressed = {
  address: string;
  token: string | undefined;
  /** File of the authority of Nomad's certificate. */
  ca: string | undefined;
  note: string | null;
};

/** `http://host:port`, with the names of loopback as one. */
function origin(address: string): string {
  const url = new URL(address.includes("://") ? address : `http://${address}`);
  if (url.hostname === "localhost" || url.hostname === "[::1]") url.hostname = "127.0.0.1";
  return url.origin;
}

/**
 * Chooses between the stack of this machine and the cluster that the environment names. A token of the stack is never
 * sent to another cluster, and no command acts on Nomad of one cluster and Consul or the API of another.
 * Returns an error text if the environment names a cluster incompletely.
 */
export async function addressCluster(
  local: Stack | null,
  name: string,
  env: Environment = process.env,
): Promise<Addressed | string> {
  const differs = (key: string, own: string | undefined) =>
    Boolean(env[key]) && (own === undefined || origin(env[key]!) !== origin(own));
  let other: boolean;
  try {
    other = differs("NOMAD_ADDR", local?.nomad_addr) || differs("CONSUL_HTTP_ADDR", local?.consul_http_addr);
  } catch {
    return `NOMAD_ADDR must be http(s)://host:port, and CONSUL_HTTP_ADDR host:port or http(s)://host:port.`;
  }
  if (!other && local !== null) {
    const [nomadToken, consulToken] = await Promise.all([
      tokenIn(local.nomad_token_file),
      tokenIn(local.consul_token_file),
    ]);
    return {
      stack: local,
      env: {
        NOMAD_ADDR: local.nomad_addr,
        NOMAD_TOKEN: env["NOMAD_TOKEN"] || nomadToken,
        CONSUL_HTTP_ADDR: local.consul_http_addr,
        CONSUL_HTTP_TOKEN: env["CONSUL_HTTP_TOKEN"] || consulToken,
        NOMAD_CACERT: env["NOMAD_CACERT"] || local.agents_ca_file || undefined,
        CONSUL_CACERT: env["CONSUL_CACERT"] || local.agents_ca_file || undefined,
      },
      note: null,
    };
  }

  const required = ["NOMAD_ADDR", "CONSUL_HTTP_ADDR", baseUrlKey, caKey, adminKeyKey];
  const missing = required.filter((key) => !env[key]);
  if (missing.length > 0) {
    const given = required.filter((key) => env[key]).join(", ");
    return (
      `${given} names another cluster than stack "${name}" of this machine. ` +
      `Set ${missing.join(", ")} of that cluster too, or unset ${given}.`
    );
  }
  const nomadAddr = env["NOMAD_ADDR"]!;
  const consulAddr = env["CONSUL_HTTP_ADDR"]!;
  return {
    stack: {
      stack: name,
      nomad_addr: nomadAddr,
      consul_http_addr: consulAddr,
      base_url: env[baseUrlKey]!,
      ca_file: env[caKey]!,
      admin_key_file: env[adminKeyKey]!,
      simulator_url: env["PROSAAS_SIMULATOR_URL"] || null,
    },
    env: {
      NOMAD_ADDR: nomadAddr,
      NOMAD_TOKEN: env["NOMAD_TOKEN"] || undefined,
      CONSUL_HTTP_ADDR: consulAddr,
      CONSUL_HTTP_TOKEN: env["CONSUL_HTTP_TOKEN"] || undefined,
      NOMAD_CACERT: env["NOMAD_CACERT"] || undefined,
      CONSUL_CACERT: env["CONSUL_CACERT"] || undefined,
    },
    note: `Acts on the cluster at ${nomadAddr} (NOMAD_ADDR), not on stack "${name}" of this machine.`,
  };
}

/** As {@link addressCluster}, for commands that need Nomad only. Null without a stack and without NOMAD_ADDR. */
export async function addressNomad(
  local: Stack | null,
  name: string,
  env: Environment = process.env,
): Promise<NomadAddressed | null> {
  const address = env["NOMAD_ADDR"] || local?.nomad_addr;
  if (address === undefined) return null;
  const own = local !== null && origin(address) === origin(local.nomad_addr);
  return {
    address,
    token: env["NOMAD_TOKEN"] || (own ? await tokenIn(local.nomad_token_file) : undefined),
    ca: env["NOMAD_CACERT"] || (own ? local.agents_ca_file : undefined) || undefined,
    note: own || local === null ? null : `Asks Nomad at ${address} (NOMAD_ADDR), not stack "${name}" of this machine.`,
  };
}

/** Undefined if the file is missing or unreadable; then the cluster refuses the request. */
async function tokenIn(path: string | null | undefined): Promise<string | undefined> {
  if (!path) return undefined;
  const text = await Bun.file(path)
    .text()
    .catch(() => "");
  return text.trim() || undefined;
}
