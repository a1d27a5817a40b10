import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../../../lib/testing/certificate.ts";
import { startS3Server } from "../../../../lib/testing/s3_server.ts";
import { until } from "../../../../lib/testing/until.ts";
import type { Caller } from "../../../cli/operator/http.ts";
import { simulatorOf } from "../../../cli/operator/simulator.ts";
import { createCaller } from "../../../cli/operator/http.ts";
import { allJobs } from "../../../stack/jobs.ts";
import { compareContents, openSessions, readContents, sendFromEach } from "./contents.ts";
import { addItems, bucket, copyItems, createStack, repositoryItems } from "./stacks.ts";
import type { RestoreStack } from "./stacks.ts";

type Plan = { businesses: number; messages: number };
type Stats = { pairings_offered: number; undecryptable: number; duplicates_dropped: number };

const openWithinMs = 180_000;

export async function restoreStack(plan: Plan, say: (line: string) => void) {
  const ends: (() => Promise<unknown>)[] = [];
  try {
    return await run(plan, say, (end) => ends.push(end));
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

async function run(plan: Plan, say: (line: string) => void, onEnd: (end: () => Promise<unknown>) => void) {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-restore-"));
  onEnd(() => rm(folder, { recursive: true, force: true }));
  const { certFile, keyFile } = makeCertificate(folder);
  const tls = { cert: Bun.file(certFile), key: Bun.file(keyFile) };
  const kept = startS3Server({ ...bucket, tls });
  const ofShards = startS3Server(bucket);
  onEnd(() => kept.stop());
  onEnd(() => ofShards.stop());
  const environment: Record<string, string> = {
    BACKUP_URL: `s3://${bucket.bucket}`,
    BACKUP_S3_ENDPOINT: kept.endpoint,
    BACKUP_S3_REGION: "lab",
    BACKUP_S3_ACCESS_KEY_ID: bucket.accessKeyId,
    BACKUP_S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    NODE_EXTRA_CA_CERTS: certFile,
  };
  const identity = join(folder, "identity");

  const lost = await createStack("lost");
  onEnd(() => lost.remove());
  say("a stack");
  await lost.up();
  const nomad = await lost.nomad();
  await addItems(nomad, "nomad/jobs/postgres", repositoryItems(kept));
  await addItems(nomad, "nomad/jobs/wa-shards", copyItems(ofShards));
  say("copies of shards, and an archive of Postgres");
  await lost.up();
  const simulator = await simulatorOf(await lost.stack());
  const whatsapp = createCaller({ baseUrl: simulator.url, token: simulator.token });
  say("businesses, messages and files");
  for (let n = 0; n < plan.businesses; n++)
    await lost.must(["./scripts/task", "demo", "--", "--json", "--messages", `${plan.messages}`]);
  await lost.must(["./scripts/task", "demo:media", "--", "--json", "--megabytes", "1"]);
  const open = await openSessions(await lost.stack());
  const before = await readContents(await lost.stack());

  say(`backup of ${before.size} businesses`);
  const task = async (stack: RestoreStack, name: string, ...args: string[]) => {
    const started = performance.now();
    const out = await stack.must(["./scripts/task", name, "--", "--json", ...args], environment);
    const result = JSON.parse(out.trim().split("\n").at(-1)!) as Record<string, unknown>;
    return { result, tookS: Number(((performance.now() - started) / 1000).toFixed(1)) };
  };
  const { result: made } = await task(lost, "backup", "--create-identity", identity);
  environment["BACKUP_RECIPIENTS"] = String(made["recipient"]);
  const backup = await task(lost, "backup");
  say("verification");
  const verified = await task(lost, "backup", "--verify", "--identity", identity);

  say("the stack is lost; only WhatsApp's side stays");
  for (const job of allJobs.filter((id) => id !== "simulator"))
    await lost.must(["nomad", "job", "stop", "-purge", "-detach", job], await tokensOf(lost));
  ofShards.objects.clear();
  const offered = (await whatsapp<Stats>("GET", "/stats")).pairings_offered;

  say("an empty stack");
  const restored = await createStack("restored");
  onEnd(() => restored.remove());
  await restored.must(["./scripts/up", "--stack", "restored", "--agents-only"]);
  const began = performance.now();
  say("restore");
  const restore = await task(restored, "restore:backup", "--identity", identity, "--yes");
  await redirect(restored, simulator.url);
  say("deploy");
  await restored.up();
  await until(async () => (await openSessions(await restored.stack())).length === open.length, {
    deadlineMs: openWithinMs,
    everyMs: 500,
    what: `${open.length} sessions to open`,
  });
  const restoredS = Number(((performance.now() - began) / 1000).toFixed(1));
  const difference = compareContents(before, await readContents(await restored.stack()));
  say("messages again");
  const shown = await writeAgain(restored, whatsapp, open);

  const stats = await whatsapp<Stats>("GET", "/stats");
  const figures = {
    businesses: before.size,
    messages: [...before.values()].reduce((sum, { messages }) => sum + messages.length, 0),
    files: [...before.values()].reduce((sum, { files }) => sum + Object.keys(files).length, 0),
    backup_s: backup.tookS,
    verify_s: verified.tookS,
    restore_command_s: restore.tookS,
    restore_s: restoredS,
    sessions_reopened: open.length,
    messages_different: difference.messages,
    files_different: difference.files,
    qr_offered: stats.pairings_offered - offered,
    sent_again: shown,
    undecryptable: stats.undecryptable,
  };
  const faults = [
    ...(figures.files === 0 ? ["No file was compared."] : []),
    ...(difference.messages > 0 ? [`${difference.messages} messages differ.`] : []),
    ...(difference.files > 0 ? [`${difference.files} files differ.`] : []),
    ...(figures.qr_offered > 0 ? [`${figures.qr_offered} QR codes were offered.`] : []),
    ...(stats.undecryptable > 0 ? [`Phones could not decrypt ${stats.undecryptable} messages.`] : []),
    ...(shown === open.length ? [] : [`${shown} of ${open.length} messages arrived after the restore.`]),
  ];
  return { figures, faults };
}

const tokensOf = async ({ state }: RestoreStack) => ({
  NOMAD_TOKEN: (await Bun.file(join(state, "access/nomad-management")).text()).trim(),
});

/** The restored stack has a simulator of its own, without these phones: its shards go to the one of the lost stack. */
async function redirect(stack: RestoreStack, url: string): Promise<void> {
  const host = new URL(url).host;
  await addItems(await stack.nomad(), "nomad/jobs/wa-shards", { WA_WEBSOCKET_URL: `ws://${host}/ws/chat` });
}

/** Sends a message from each business to one phone. Returns how many of them the phone shows. */
async function writeAgain(stack: RestoreStack, whatsapp: Caller, businesses: readonly string[]): Promise<number> {
  const contact = `9999${String(Date.now() % 1e9).padStart(9, "0")}`;
  await whatsapp("POST", "/phones", { phone: contact, name: "After the restore" });
  await sendFromEach(await stack.stack(), businesses, contact);
  const count = async () => (await whatsapp<{ data: unknown[] }>("GET", `/phones/${contact}/messages`)).data.length;
  await until(async () => (await count()) >= businesses.length, { what: "the messages to arrive" }).catch(() => {});
  return count();
}
