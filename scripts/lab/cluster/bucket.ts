import { join } from "node:path";
import { readSecret } from "../../cli/certs/secrets.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { readVariable, writeVariable } from "../../stack/secrets.ts";
import { outside, pidOf, startOutside } from "./node.ts";
import type { Cluster } from "./node.ts";

const port = 17_091;
const variable = "nomad/jobs/wa-shards";

/** How much of a shard survives its disk (services/whatsapp/copy/README.md). */
export const durabilities = ["local", "copied", "required"] as const;
export type Durability = (typeof durabilities)[number];

/** Starts the bucket of the snapshots on the machine's own address, and has the shards copy their state. */
export async function copyShards(cluster: Cluster, nomad: Nomad, durability: Durability): Promise<void> {
  const { host } = cluster.layout;
  const credentials = {
    S3_ACCESS_KEY_ID: await readSecret(cluster, "bucket-key-id"),
    S3_SECRET_ACCESS_KEY: await readSecret(cluster, "bucket-key"),
  };
  if ((await pidOf(cluster, outside, "bucket")) === null) {
    await startOutside(
      cluster,
      { name: "bucket", program: "bun" },
      [process.execPath, "run", join(import.meta.dir, "bucket_server.ts")],
      { BUCKET_HOST: host, BUCKET_PORT: `${port}`, ...credentials },
    );
  }
  const read = await readVariable(nomad, variable);
  const settings = {
    WA_DURABILITY: durability,
    STORAGE_URL: "s3://lab",
    S3_ENDPOINT: `http://${host}:${port}`,
    S3_REGION: "lab",
    ...credentials,
  };
  await writeVariable(nomad, variable, { ...read.Items, ...settings }, read);
}
