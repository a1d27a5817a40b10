import { parseArgs } from "node:util";
import { queueNames } from "../../lib/queues/definitions.ts";
import { createCaller, HttpFailure } from "./http.ts";
import { readStack } from "./stack.ts";
import { table } from "./table.ts";

const usage = `Usage: ./scripts/task dead -- [QUEUE] [--replay ID | --replay-all | --discard ID] [--json]

Jobs that used up their attempts, kept for replay. Without QUEUE: how many each queue has.
  --replay ID    run one again          --replay-all   run all of the queue again
  --discard ID   drop one for good      --json         one JSON object
QUEUE is one of ${queueNames.join(", ")}.
Exits 1 if what was asked for could not be done.`;

function read() {
  try {
    const parsed = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        replay: { type: "string" },
        "replay-all": { type: "boolean", default: false },
        discard: { type: "string" },
      },
    });
    const [queue, ...more] = parsed.positionals;
    const actions = [parsed.values.replay, parsed.values.discard, parsed.values["replay-all"] || undefined].filter(Boolean);
    const understood = more.length === 0 && actions.length <= 1 && (queue !== undefined || actions.length === 0);
    return understood ? { ...parsed.values, queue } : undefined;
  } catch {
    return undefined;
  }
}

const asked = read();
if (asked === undefined || asked.help) {
  (asked ? console.log : console.error)(usage);
  process.exit(asked ? 0 : 2);
}

const stack = await readStack();
const api = createCaller({
  baseUrl: stack.base_url,
  token: (await Bun.file(stack.admin_key_file).text()).trim(),
  ca: await Bun.file(stack.ca_file).text(),
  timeoutMs: 60_000,
});

type Letter = { job_id: string; job: string; payload: Record<string, unknown> | null; reason: string; attempts: number; died_at: string };
type Page = { data: Letter[]; next_cursor: string | null };
const json = (value: unknown) => console.log(JSON.stringify(value));

async function summarize(): Promise<void> {
  const { data } = await api<{ data: { queue: string; dead: number }[] }>("GET", "/v1/admin/queues");
  if (asked!.json) return json({ queues: data.map(({ queue, dead }) => ({ queue, dead })) });
  console.log(table([["queue", "dead"], ...data.map(({ queue, dead }) => [queue, String(dead)])]));
}

async function list(path: string): Promise<void> {
  const letters: Letter[] = [];
  let cursor: string | null = null;
  do {
    const page: Page = await api("GET", `${path}?limit=200${cursor === null ? "" : `&cursor=${cursor}`}`);
    letters.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor !== null);
  if (asked!.json) return json({ queue: asked!.queue, dead: letters });
  if (letters.length === 0) return console.log(`The queue ${asked!.queue} has no dead letters.`);
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
  if (asked!.queue === undefined) return summarize();
  const path = `/v1/admin/queues/${encodeURIComponent(asked!.queue)}/dead`;
  if (asked!["replay-all"]) {
    const tally = await api<{ replayed: number; left: number }>("POST", `${path}/replay`);
    if (asked!.json) return json(tally);
    return console.log(`${tally.replayed} replayed, ${tally.left} left because this version does not know their job`);
  }
  if (asked!.replay !== undefined) {
    await api("POST", `${path}/${encodeURIComponent(asked!.replay)}/replay`);
    return asked!.json ? json({ replayed: 1, left: 0 }) : console.log("replayed");
  }
  if (asked!.discard !== undefined) {
    await api("DELETE", `${path}/${encodeURIComponent(asked!.discard)}`);
    return asked!.json ? json({ discarded: 1 }) : console.log("discarded");
  }
  return list(path);
}

try {
  await act();
} catch (error) {
  if (!(error instanceof HttpFailure)) throw error;
  console.error(error.message);
  process.exit(1);
}
