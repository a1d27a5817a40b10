import { tmpdir } from "node:os";
import { z } from "zod";
import { baseEnv, consulEnv, zInt, zUrl } from "../../lib/runtime/config.ts";

const hostname = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*$/;

export const acmeEnv = z.object({
  LOG_LEVEL: baseEnv.LOG_LEVEL,
  /** Where lego answers challenges, which the edge forwards: the address of the service prosaas-acme in Consul. */
  NOMAD_IP_http: z.string().min(1),
  NOMAD_PORT_http: zInt(1, 65_535),
  ...consulEnv,
  /** Names of the certificate, separated by commas. Each must lead to the edge. */
  ACME_DOMAINS: z
    .string()
    .transform((text) => text.split(",").map((name) => name.trim().toLowerCase()))
    .refine((names) => names.length <= 100 && names.every((name) => hostname.test(name)), {
      message: "must be at most 100 host names, separated by commas, without wildcards",
    }),
  /** For warnings of the authority. */
  ACME_EMAIL: z.email(),
  /** The authority. To run this job is to agree to its terms of service. */
  ACME_DIRECTORY: zUrl("https").default("https://acme-v02.api.letsencrypt.org/directory"),
  /** PEM of the authority of ACME_DIRECTORY's own certificate, if no public one issued it. */
  ACME_CA: z.string().min(1).optional(),
  /** Days before the end of a certificate from which it is renewed. More than its lifetime: at each run. */
  ACME_RENEW_DAYS: zInt(1, 3_650).default(30),
  /** The account at the authority, in the form that this job writes (account.ts). */
  ACME_ACCOUNT: z.string().default("{}"),
  /** Nomad's HTTP interface: by default the socket that each task has. */
  NOMAD_ADDR: zUrl("unix", "http", "https").default("unix:///secrets/api.sock"),
  NOMAD_TOKEN: z.string().min(1).optional(),
  PATH: z.string().default("/usr/bin:/bin"),
  /** The folder for keys while lego runs: in a task, in memory. */
  NOMAD_SECRETS_DIR: z.string().default(tmpdir()),
});

export type AcmeConfig = z.output<typeof acmeEnv>;
