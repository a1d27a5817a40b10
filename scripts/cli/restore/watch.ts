import { join } from "node:path";
import { Option } from "@commander-js/extra-typings";
import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { createDatabase, forPlatform } from "../../../lib/db/index.ts";
import { run } from "../../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { leaseMs } from "../../../services/whatsapp/copy/lease.ts";
import { connectConsul } from "../../stack/consul.ts";
import { root } from "../../stack/environment.ts";
import { createNomad } from "../../stack/nomad.ts";
import { commandLine, wholeNumber } from "../arguments.ts";
import { databaseUrl } from "../operator/database.ts";
import { readStack } from "../operator/stack.ts";
import { surveyCopies } from "../operator/survey_copies.ts";
import { ShardBackoff } from "./backoff.ts";
import { decideWatch } from "./rules.ts";
import { surveyShards } from "./survey.ts";

const pollMs = 2_000;

/** A failed survey is tried again after this. */
const retryMs = 30_000;

/** Longest wait of the command for an allocation, or for another command, in seconds. */
const deadlineS = 120;

/** Ends a command that hangs. Its steps take less, without a backlog of Nomad: 60 s to be lost, 60 s for volumes. */
const longestMs = 600_000;

const { afterS, perHour } = commandLine(
  "restore:watch",
  `Restore the shards of lost nodes without an operator, until it is stopped.

Runs task restore for shards whose owner has renewed neither its lease in Postgres nor its lock in
Consul for a time, and for volumes of nodes that are back. Writes one JSON line an event to stdout.
scripts/cli/restore/README.md says where to run it, and with which rights.`,
)
  .addOption(
    new Option("--after-s <n>", "seconds without an owner; 0: only delete outdated volumes")
      .env("WA_RESTORE_AFTER")
      .argParser(wholeNumber(0, 86_400))
      .default(60),
  )
  .option("--per-hour <n>", "most restores in an hour; one of a shard", wholeNumber(1, 1_000), 10)
  .parse()
  .opts();

const logger = createLogger("restore-watch");

await run("restore-watch", logger, async (life) => {
  const stack = await readStack();
  const target = {
    agents: { nomadAddr: stack.nomad_addr, consulAddr: stack.consul_http_addr },
    nomad: createNomad(stack.nomad_addr),
    consul: connectConsul(stack.consul_http_addr),
  };
  const db = createDatabase({ url: await databaseUrl(), poolSize: 1, applicationName: "prosaas-restore-watch" });
  life.onStop("postgres", () => db.close());
  const limits = { afterMs: afterS === 0 ? Number.POSITIVE_INFINITY : afterS * 1000, perHour, leaseMs };

  const restores = new ShardBackoff();
  const deletions = new ShardBackoff();
  let logged = "";
  const round = async (): Promise<void> => {
    const states = await surveyShards(target, () => surveyCopies(forPlatform(db)));
    const { due, outdated, waiting } = decideWatch(states, limits);
    const why = JSON.stringify(waiting);
    if (why !== logged && waiting.length > 0) logger.warn({ waiting }, "shards without an owner wait");
    logged = why;
    const shards = restores.next(due, performance.now());
    if (shards.length > 0) await runFor(shards, restores);
    // One at a time, between restores: a deletion that hangs delays a restore by no more than its time limit.
    else await runFor(deletions.next(outdated, performance.now()).slice(0, 1), deletions);
  };
  const runFor = async (shards: readonly number[], backoff: ShardBackoff): Promise<void> => {
    if (shards.length === 0) return;
    logger.warn({ shards }, "restoring");
    const { code, result } = await restore(shards);
    if (code === 0) {
      backoff.succeed(shards);
      logger.warn({ shards, ...result }, "the restore has ended");
    } else {
      backoff.fail(shards, performance.now());
      logger.error({ alarm: true, shards, ...result }, "the restore failed; it is tried again");
    }
  };
  const watching = (async () => {
    while (!life.stopping.aborted) {
      try {
        await round();
        await sleep(pollMs, life.stopping);
      } catch (error) {
        if (life.stopping.aborted) return;
        logger.error({ error: messageOf(error) }, "the shards could not be surveyed; this is tried again");
        await sleep(retryMs, life.stopping).catch(() => {});
      }
    }
  })();
  // A restore in progress ends first.
  life.onStop("watch", () => watching);
});

/** Runs the command: it makes its own plan, under the lock of all commands that change the cluster. */
async function restore(shards: readonly number[]): Promise<{ code: number; result: Record<string, unknown> }> {
  const limit = ["--deadline-s", String(deadlineS)];
  const args = ["--shards", shards.join(","), "--until-owner", "--skip-refused", "--json", ...limit];
  const child = Bun.spawn([process.execPath, "run", join(import.meta.dir, "main.ts"), ...args], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    timeout: longestMs,
  });
  const [output, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  const last = output.trim().split("\n").at(-1) ?? "";
  const { error, changes } = (last.startsWith("{") ? JSON.parse(last) : {}) as Record<string, unknown>;
  return { code, result: { error, changes } };
}
