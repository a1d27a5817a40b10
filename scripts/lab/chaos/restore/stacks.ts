import { join } from "node:path";
import type { S3Server } from "../../../../lib/testing/s3_server.ts";
import type { Stack } from "../../../cli/operator/stack.ts";
import { createNomad } from "../../../stack/nomad.ts";
import type { Nomad } from "../../../stack/nomad.ts";
import { readVariable, writeVariable } from "../../../stack/secrets.ts";
import { createCluster } from "../../../testing/cluster.ts";
import type { Cluster } from "../../../testing/cluster.ts";

/** A stack of this run. Two of them exist at the same time, so tokens never stay in the environment. */
export type RestoreStack = Cluster & {
  nomad(): Promise<Nomad>;
  stack(): Promise<Stack>;
  /** @throws with the output of a command that fails */
  must(command: string[], env?: Record<string, string>): Promise<string>;
};

export async function createStack(name: string): Promise<RestoreStack> {
  const cluster = await createCluster(name);
  const withoutTokens = () => {
    delete process.env["NOMAD_TOKEN"];
    delete process.env["CONSUL_HTTP_TOKEN"];
  };
  const must = async (command: string[], env: Record<string, string> = {}): Promise<string> => {
    withoutTokens();
    const assignments = Object.entries(env).map(([key, value]) => `${key}=${value}`);
    const { code, stdout, stderr } = await cluster.run(["env", ...assignments, ...command]);
    if (code !== 0) throw new Error(`${command.join(" ")} exited ${code}: ${stdout}${stderr}`);
    return stdout;
  };
  return {
    ...cluster,
    must,
    nomad: async () => {
      const token = await Bun.file(join(cluster.state, "access/nomad-management")).text();
      process.env["NOMAD_TOKEN"] = token.trim();
      const nomad = createNomad(cluster.env["NOMAD_ADDR"]!);
      withoutTokens();
      return nomad;
    },
    stack: async () => (await Bun.file(join(cluster.state, "stack.json")).json()) as Stack,
    up: async () => {
      const output = await cluster.up();
      withoutTokens();
      if (output.code !== 0) throw new Error(`./scripts/up exited ${output.code}`);
      return output;
    },
  };
}

export async function addItems(nomad: Nomad, path: string, items: Record<string, string>): Promise<void> {
  const read = await readVariable(nomad, path);
  await writeVariable(nomad, path, { ...read.Items, ...items }, read);
}

export const bucket = { bucket: "backups", accessKeyId: "lab", secretAccessKey: crypto.randomUUID() };

/** Items of nomad/jobs/postgres: a repository in the bucket, as in production. */
export function repositoryItems(server: S3Server): Record<string, string> {
  return {
    PGBACKREST_REPO1_TYPE: "s3",
    PGBACKREST_REPO1_PATH: "/postgres",
    PGBACKREST_REPO1_S3_BUCKET: bucket.bucket,
    PGBACKREST_REPO1_S3_ENDPOINT: "127.0.0.1",
    PGBACKREST_REPO1_S3_REGION: "lab",
    PGBACKREST_REPO1_S3_URI_STYLE: "path",
    PGBACKREST_REPO1_S3_KEY: bucket.accessKeyId,
    PGBACKREST_REPO1_S3_KEY_SECRET: bucket.secretAccessKey,
    PGBACKREST_REPO1_STORAGE_HOST: "127.0.0.1",
    PGBACKREST_REPO1_STORAGE_PORT: new URL(server.endpoint).port,
    // The certificate is self-signed.
    PGBACKREST_REPO1_STORAGE_VERIFY_TLS: "n",
    PGBACKREST_REPO1_CIPHER_TYPE: "aes-256-cbc",
    PGBACKREST_REPO1_CIPHER_PASS: crypto.randomUUID(),
  };
}

/** Items of nomad/jobs/wa-shards: copies, with snapshots in a bucket that is lost with the stack. */
export const copyItems = (server: S3Server): Record<string, string> => ({
  WA_DURABILITY: "copied",
  STORAGE_URL: `s3://${bucket.bucket}`,
  S3_ENDPOINT: server.endpoint,
  S3_REGION: "lab",
  S3_ACCESS_KEY_ID: bucket.accessKeyId,
  S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
});
