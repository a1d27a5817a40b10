import { createDatabase } from "../../../../lib/db/index.ts";
import type { Database } from "../../../../lib/db/index.ts";
import type { ApiClient } from "../../../../lib/api-client/index.ts";
import { connectConsul } from "../../../stack/consul.ts";
import { createNomad } from "../../../stack/nomad.ts";
import { adminApi } from "../../operator/admin_api.ts";
import { databaseUrlOf } from "../../operator/database.ts";
import type { Stack } from "../../operator/stack.ts";
import type { Target } from "../../scale/target.ts";

/** The cluster that is examined. Opens the database and the API when a part first needs them. */
export type Cluster = Omit<Target, "api"> & {
  api: () => Promise<ApiClient>;
  /** The primary, as the role that owns the tables. */
  databaseUrl: () => Promise<string>;
  database: () => Promise<Database>;
  close: () => Promise<void>;
};

export function openCluster(stack: Stack, env: Record<string, string | undefined> = process.env): Cluster {
  const databaseUrl = once(async () => env["DATABASE_URL"] || databaseUrlOf(stack, "postgres"));
  let opened: Database | undefined;
  const database = once(async () => {
    const url = await databaseUrl();
    return (opened = createDatabase({ url, poolSize: 1, applicationName: "prosaas-doctor" }));
  });
  return {
    stack,
    agents: { nomadAddr: stack.nomad_addr, consulAddr: stack.consul_http_addr },
    // A lost leader is a finding, and nothing to wait for.
    nomad: createNomad(stack.nomad_addr, { settleMs: 0 }),
    consul: connectConsul(stack.consul_http_addr),
    api: once(async () => {
      for (const file of [stack.admin_key_file, stack.ca_file])
        if (!(await Bun.file(file).exists())) throw new Error(`The file ${file} of the cluster is missing`);
      return adminApi(stack);
    }),
    databaseUrl,
    database,
    close: async () => opened?.close(),
  };
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}
