import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsul, kvGet, kvPut } from "../../../lib/consul/client.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import { createDatabase, forPlatform, listCopies, submitMessage } from "../../../lib/db/index.ts";
import { newMessage } from "../../../lib/db/testing/outbox.ts";
import { ensureMessagePartitions } from "../../../lib/db/messages/partitions.ts";
import { applyMigrations } from "../../../lib/db/migrations/migrate.ts";
import { createFolderStore, createSealedStore } from "../../../lib/storage/index.ts";
import { createBusiness } from "../../../lib/testing/business.ts";
import { startConsulServer } from "../../../lib/testing/consul_server.ts";
import { startNomadServer } from "../../../lib/testing/nomad_server.ts";
import { until } from "../../../lib/testing/until.ts";
import { kill, processScenario } from "../../../services/whatsapp/testing/shard_process.ts";
import {
  control,
  makePhone,
  newPhone,
  newVolume,
  screenOf,
  text,
} from "../../../services/whatsapp/testing/shard_under_test.ts";
import { createNomad } from "../../stack/nomad.ts";
import { readVariable, writeVariable } from "../../stack/secrets.ts";
import { createInitialisedPostgres } from "../../testing/initialised_postgres.ts";
import type { InitialisedPostgres } from "../../testing/initialised_postgres.ts";
import { nobody } from "../../testing/postgres.ts";
import { makeBackup } from "./make.ts";
import { findBackup } from "./manifest.ts";
import { restoreCluster, restorePostgres } from "./restore.ts";
import { createIdentity, readIdentity } from "./seal.ts";
import { openBackup, verifyBackup } from "./verify.ts";

/*
 * A cluster without tasks: its servers, Postgres, a shard that copies its login, and two storages. It is backed up and
 * deleted, and another one is restored from the backup.
 */
type ClusterUnderTest = {
  nomad: Awaited<ReturnType<typeof startNomadServer>>;
  consul: Awaited<ReturnType<typeof startConsulServer>>;
  postgres: InitialisedPostgres;
};

const shards = processScenario();
const silent = () => {};
const dataKeys = `k1:${randomBytes(32).toString("base64")}`;
const stops: (() => Promise<void>)[] = [];
let folder: string;
let identity: string;
let destination: Parameters<typeof makeBackup>[0]["destination"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-backup-"));
  const file = join(folder, "identity");
  const recipient = await createIdentity(file);
  identity = await readIdentity(file);
  const url = `file://${folder}/backups`;
  destination = { url, store: createFolderStore(join(folder, "backups")), recipients: [recipient], keepDays: 14 };
});
afterAll(async () => {
  for (const stop of stops.toReversed()) await stop();
  await rm(folder, { recursive: true, force: true });
});

async function startCluster(): Promise<ClusterUnderTest> {
  const [nomad, consul, postgres] = await Promise.all([
    startNomadServer(),
    startConsulServer(),
    createInitialisedPostgres(),
  ]);
  stops.push(nomad.stop, consul.stop, postgres.remove);
  return { nomad, consul, postgres };
}

/** The options of pgBackRest in nomad/jobs/postgres. */
const repository = () => ({
  PGBACKREST_REPO1_PATH: join(folder, "repository"),
  PGBACKREST_REPO1_CIPHER_TYPE: "aes-256-cbc",
  PGBACKREST_REPO1_CIPHER_PASS: "a passphrase of a test",
});

/** Starts Postgres with the options that nomad/tasks/pgbackrest.conf.ctmpl writes, and its settings for archiving. */
async function startPostgres({ nomad, postgres }: ClusterUnderTest): Promise<void> {
  const { Items } = await readVariable(createNomad(nomad.addr), "nomad/jobs/postgres");
  await postgres.init(Items);
  const env = {
    ...Items,
    PGBACKREST_STANZA: "prosaas",
    PGBACKREST_PG1_PATH: join(postgres.folder, "data/main"),
    PGBACKREST_PG1_PORT: String(postgres.port),
    PGBACKREST_PG1_SOCKET_PATH: postgres.folder,
    PGBACKREST_PG1_USER: "postgres",
    PGBACKREST_LOG_LEVEL_FILE: "off",
    PGBACKREST_CONFIG: "/dev/null",
    PGBACKREST_LOCK_PATH: postgres.folder,
    PGBACKREST_SPOOL_PATH: postgres.folder,
  };
  const settings = { archive_mode: "on", archive_command: "/usr/bin/pgbackrest archive-push %p" };
  await postgres.start({ env, settings });
}

const makeOf = ({ nomad, consul, postgres }: ClusterUnderTest) =>
  makeBackup({
    nomadAddr: nomad.addr,
    consulAddr: consul.addr,
    databaseUrl: postgres.urlOf("postgres"),
    serverUrl: postgres.urlOf("postgres"),
    folderOf: async () => undefined,
    destination,
    withoutLogins: false,
    report: silent,
  });

async function rowsOf({ postgres }: ClusterUnderTest): Promise<unknown> {
  const owner = connectAsOwner({ url: postgres.urlOf("postgres"), applicationName: "test" });
  try {
    const businesses = await owner`select id, name from businesses order by id`;
    return { businesses: [...businesses], messages: [...(await owner`select * from messages order by id`)] };
  } finally {
    await owner.end();
  }
}

/** Adds a business with a message that is still to be sent. */
async function addBusiness({ postgres }: ClusterUnderTest): Promise<string> {
  const url = new URL(postgres.urlOf("postgres"));
  url.searchParams.set("role", "prosaas_app");
  const db = createDatabase({ url: url.toString(), poolSize: 1, applicationName: "test" });
  try {
    const scope = await createBusiness(db, { shard: shards.index + 1 });
    expect(await submitMessage(scope, newMessage())).toEqual({ outcome: "accepted" });
    return scope.businessId;
  } finally {
    await db.close();
  }
}

async function copiesOf({ postgres }: ClusterUnderTest) {
  const db = createDatabase({ url: postgres.urlOf("postgres"), poolSize: 1, applicationName: "test" });
  try {
    return await listCopies(forPlatform(db));
  } finally {
    await db.close();
  }
}

const sealedMedia = () => createSealedStore(createFolderStore(join(folder, "media")), KeyRing.parse(dataKeys));

const launch = ({ consul, postgres }: ClusterUnderTest, volume: string, keys: string) =>
  shards.launch({
    AUTH_DIR: volume,
    AUTH_KEYS: keys,
    CONSUL_HTTP_ADDR: consul.addr,
    WA_DURABILITY: "copied",
    DATABASE_URL_POOLER: postgres.urlOf("prosaas_shards"),
    STORAGE_URL: `file://${join(folder, "snapshots")}`,
  });

describe("a backup", () => {
  test("restores an empty cluster", async () => {
    const lost = await startCluster();
    const nomad = createNomad(lost.nomad.addr);
    const number = shards.index + 1;
    const variables: Record<string, Record<string, string>> = {
      "nomad/jobs": { STORAGE_URL: `file://${join(folder, "media")}` },
      "nomad/jobs/api": { DATA_KEYS: dataKeys },
      "nomad/jobs/postgres": repository(),
      "nomad/jobs/wa-shards": {
        WA_DURABILITY: "copied",
        STORAGE_URL: `file://${join(folder, "snapshots")}`,
        [`AUTH_KEYS_${number}`]: shards.keys,
      },
      "prosaas/secrets": { data_keys: dataKeys },
    };
    for (const [path, items] of Object.entries(variables))
      await writeVariable(nomad, path, items, { Items: {}, ModifyIndex: 0 });
    const consul = createConsul({ addr: lost.consul.addr });
    await kvPut(consul, "prosaas/whatsapp/num_shards", "3");
    await kvPut(consul, "other/key", "not ours");
    const repositoryFolder = join(folder, "repository");
    Bun.spawnSync(["install", "-d", "-o", `${nobody.uid}`, "-g", `${nobody.gid}`, repositoryFolder]);
    Bun.spawnSync(["chmod", "755", folder]);
    await startPostgres(lost);
    const owner = connectAsOwner({ url: lost.postgres.urlOf("prosaas"), applicationName: "test" });
    await applyMigrations(owner);
    await ensureMessagePartitions(owner, { ahead: 0 });
    await owner.end();

    const [phone, contact] = [newPhone(), newPhone()];
    await makePhone(shards.simulator, contact);
    const business = await addBusiness(lost);
    const first = launch(lost, shards.volume, shards.keys);
    await first.pair(shards.simulator, business, phone);
    const outgoing = ["out 1", "out 2"].map((body) => text(contact, body));
    expect((await first.deliver(business, outgoing)).every(({ status }) => status === "sent")).toBeTrue();
    await until(async () => (await copiesOf(lost))[0]?.complete, { what: "a complete copy" });
    const photo = randomBytes(200_000);
    await sealedMedia().put("photos/1", [photo] as unknown as AsyncIterable<Uint8Array>);

    const manifest = await makeOf(lost);
    expect(manifest.shards.map(({ shard }) => shard)).toEqual([number]);
    expect(manifest.objects.media.count).toBe(1);
    const before = await rowsOf(lost);
    // Later than the backup: lost.
    await addBusiness(lost);
    expect(await verifyBackup(manifest, destination.store, identity, silent)).toMatchObject({
      variables: 5,
      settings: 1,
      postgres: { businesses: 1 },
    });

    await kill(first);
    for (const stop of stops.splice(0)) await stop();
    for (const name of ["media", "snapshots"]) await rm(join(folder, name), { recursive: true });
    const leaked = await sealedFilesContain(shards.keys, dataKeys);
    expect(leaked).toEqual([]);

    const restored = await startCluster();
    const restoredNomad = createNomad(restored.nomad.addr);
    const found = await findBackup(destination.store);
    const content = await openBackup(found, destination.store, identity);
    await restoreCluster({
      nomadAddr: restored.nomad.addr,
      consulAddr: restored.consul.addr,
      manifest: found,
      content,
      backups: destination.store,
      until: { is: "backup" },
      report: silent,
    });
    const restoredConsul = createConsul({ addr: restored.consul.addr });
    expect((await kvGet(restoredConsul, "prosaas/whatsapp/num_shards"))?.value).toBe("3");
    expect(await kvGet(restoredConsul, "other/key")).toBeNull();
    const { Items: secrets } = await readVariable(restoredNomad, "nomad/jobs/wa-shards");
    await startPostgres(restored);
    expect(await rowsOf(restored)).toEqual(before);
    const object = await sealedMedia().get("photos/1");
    expect(Buffer.concat(await Array.fromAsync(object!.bytes()))).toEqual(photo);

    // The lease of the lost owner ends 15 s after its last append; a restore takes longer than that elsewhere.
    const server = connectAsOwner({ url: restored.postgres.urlOf("postgres"), applicationName: "test" });
    await server`update shard_copies set leased_until = now() - interval '1 second'`;
    await server.end();
    const volume = newVolume();
    stops.push(() => rm(volume, { recursive: true }));
    const second = launch(restored, volume, secrets[`AUTH_KEYS_${number}`]!);
    await second.reaches(business, "open");
    const more = [...outgoing, text(contact, "out 3")];
    expect((await second.deliver(business, more)).every(({ status }) => status === "sent")).toBeTrue();
    await control(shards.simulator, "POST", `/phones/${contact}/messages`, { to: phone, text: "in 1" });
    await until(async () => (await second.readJournal("inbound")).some(({ data }) => data.text === "in 1"), {
      what: "a message from the contact",
    });
    const screen = await screenOf(shards.simulator, contact);
    expect([screen.texts, screen.duplicates, screen.undecryptable]).toEqual([["out 1", "out 2", "out 3"], 0, 0]);

    // Backups go on, on the timeline that the restore began, and Postgres goes back to any of them.
    await until(async () => (await copiesOf(restored))[0]?.complete, { what: "a complete copy" });
    const next = await makeOf(restored);
    const atNext = await rowsOf(restored);
    await addBusiness(restored);
    await restored.postgres.stop();
    await restorePostgres({ nomadAddr: restored.nomad.addr, manifest: next, until: { is: "backup" } });
    await startPostgres(restored);
    expect(await rowsOf(restored)).toEqual(atNext);
    expect(await readdir(join(restored.postgres.folder, "data"))).toContain("main.before");
  }, 120_000);
});

/** The files of the backups that contain one of these texts. */
async function sealedFilesContain(...secrets: string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of destination.store.list()) {
    const object = (await destination.store.get(key))!;
    const content = Buffer.from(await object.read(0, object.size));
    if (secrets.some((secret) => content.includes(secret))) found.push(key);
  }
  return found;
}
