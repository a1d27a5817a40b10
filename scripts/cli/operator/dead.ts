import { Argument, Option } from "@commander-js/extra-typings";
import { queueNames } from "../../../lib/queues/definitions.ts";
import { bodyOf } from "../../../lib/api-client/index.ts";
import type { Schemas } from "../../../lib/api-client/index.ts";
import { adminApi } from "./admin_api.ts";
import { resultCommand } from "../arguments.ts";
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
  .addOption(new Option("--discard <id>", "delete one job"))
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

async function list(name: string): Promise<void> {
  const letters = await allPages((cursor) =>
    bodyOf(api.GET("/v1/admin/queues/{name}/dead", { params: { path: { name }, query: { limit: 200, cursor } } })),
  );
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

async function act(): Promise<void> {
  if (asked.queue === undefined) return summarize();
  const name = asked.queue;
  if (asked.replayAll) {
    const tally = await bodyOf(api.POST("/v1/admin/queues/{name}/dead/replay", { params: { path: { name } } }));
    if (asked.json) return json(tally);
    const left =
      tally.left === 0
        ? ""
        : `; ${tally.left} left, whose job or payload this version does not know: --discard drops one`;
    return console.log(`${tally.replayed} replayed${left}`);
  }
  if (asked.replay !== undefined) {
    await api.POST("/v1/admin/queues/{name}/dead/{job_id}/replay", {
      params: { path: { name, job_id: asked.replay } },
    });
    return asked.json ? json({ replayed: 1, left: 0 }) : console.log("replayed");
  }
  if (asked.discard !== undefined) {
    await api.DELETE("/v1/admin/queues/{name}/dead/{job_id}", { params: { path: { name, job_id: asked.discard } } });
    return asked.json ? json({ discarded: 1 }) : console.log("discarded");
  }
  return list(name);
}

await act();
