import { Argument, Option } from "@commander-js/extra-typings";
import { AppError } from "../../../lib/core/errors.ts";
import { queueNames } from "../../../lib/queues/definitions.ts";
import { bodyOf } from "../../../lib/api-client/index.ts";
import type { Schemas } from "../../../lib/api-client/index.ts";
import { adminApi } from "./admin_api.ts";
import { resultCommand } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { allPages } from "./pages.ts";
import { readStack } from "./stack.ts";
import { table } from "./table.ts";

const command = resultCommand(
  "dead",
  `List, replay and discard dead letters: jobs that exhausted their attempts.

Without QUEUE: prints how many dead letters each queue has. Exits 1 if the requested action failed.`,
  "-- [QUEUE] [OPTIONS]",
)
  .addArgument(new Argument("[queue]", "queue").choices(queueNames))
  .addOption(new Option("--replay <id>", "run one job again").conflicts(["replayAll", "discard"]))
  .addOption(new Option("--replay-all", "run all jobs of the queue again").conflicts("discard"))
  .addOption(new Option("--discard <id>", "delete one job; asks for confirmation"))
  .option("--dry-run", "print what would be replayed or deleted, and change nothing", false)
  .option("--yes", "do not ask for confirmation", false)
  .parse();
const values = command.opts();
const asked = { ...values, replayAll: values.replayAll === true, queue: command.processedArgs[0] };
if (asked.queue === undefined && (asked.replayAll || asked.replay !== undefined || asked.discard !== undefined))
  command.error("error: missing argument 'queue'");

const api = await adminApi(await readStack(), { timeoutMs: 60_000 });

type Letter = Schemas["DeadLetter"];
const json = (value: unknown) => console.log(JSON.stringify(value));

async function summarize(): Promise<void> {
  const { data } = await bodyOf(api.GET("/v1/admin/queues"));
  if (asked.json) return json({ queues: data.map(({ queue, dead }) => ({ queue, dead })) });
  console.log(table([["queue", "dead"], ...data.map(({ queue, dead }) => [queue, String(dead)])]));
}

const lettersOf = (name: string): Promise<Letter[]> =>
  allPages((cursor) =>
    bodyOf(api.GET("/v1/admin/queues/{name}/dead", { params: { path: { name }, query: { limit: 200, cursor } } })),
  );

async function list(name: string): Promise<void> {
  const letters = await lettersOf(name);
  if (asked.json) return json({ queue: asked.queue, dead: letters });
  if (letters.length === 0) return console.log(`The queue ${asked.queue} has no dead letters.`);
  const ids = (payload: Letter["payload"]) =>
    payload === null
      ? "not understood"
      : Object.entries(payload)
          .map(([name, value]) => `${name}=${String(value)}`)
          .join(" ") || "-";
  const rows = letters.map((letter) => [
    letter.job_id,
    letter.job,
    ids(letter.payload),
    letter.died_at,
    `${letter.attempts}`,
    letter.reason,
  ]);
  console.log(table([["id", "job", "payload", "died", "runs", "reason"], ...rows]));
}

/** The job that an option names; throws if the queue does not have it. */
async function letterOf(name: string, id: string): Promise<Letter> {
  const letter = (await lettersOf(name)).find(({ job_id }) => job_id === id);
  if (letter === undefined) throw new AppError("not_found", `The queue ${name} has no dead letter ${id}.`);
  return letter;
}

const describe = ({ job, died_at, attempts }: Letter) => `the ${job} job of ${died_at} (${attempts} attempts)`;

async function replayAll(name: string): Promise<void> {
  if (asked.dryRun) {
    const { length } = await lettersOf(name);
    return asked.json ? json({ dry_run: true, replayed: length }) : console.log(`would replay ${length} jobs`);
  }
  const tally = await bodyOf(api.POST("/v1/admin/queues/{name}/dead/replay", { params: { path: { name } } }));
  if (asked.json) return json(tally);
  const left =
    tally.left === 0
      ? ""
      : `; ${tally.left} left, whose job or payload this version does not know: --discard drops one`;
  console.log(`${tally.replayed} replayed${left}`);
}

async function replay(name: string, job_id: string): Promise<void> {
  if (asked.dryRun) {
    const letter = await letterOf(name, job_id);
    return asked.json ? json({ dry_run: true, replayed: 1 }) : console.log(`would replay ${describe(letter)}`);
  }
  await api.POST("/v1/admin/queues/{name}/dead/{job_id}/replay", { params: { path: { name, job_id } } });
  if (asked.json) json({ replayed: 1, left: 0 });
  else console.log("replayed");
}

async function discard(name: string, job_id: string): Promise<void> {
  const letter = await letterOf(name, job_id);
  if (asked.dryRun)
    return asked.json ? json({ dry_run: true, discarded: 1 }) : console.log(`would delete ${describe(letter)}`);
  if (!asked.yes) await confirm(`delete ${describe(letter)}`);
  await api.DELETE("/v1/admin/queues/{name}/dead/{job_id}", { params: { path: { name, job_id } } });
  if (asked.json) json({ discarded: 1 });
  else console.log("discarded");
}

const name = asked.queue;
if (name === undefined) await summarize();
else if (asked.replayAll) await replayAll(name);
else if (asked.replay !== undefined) await replay(name, asked.replay);
else if (asked.discard !== undefined) await discard(name, asked.discard);
else await list(name);
