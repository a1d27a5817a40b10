import { bodyOf } from "../../../lib/api-client/index.ts";
import { jsonOrUndefined } from "../../../lib/core/json.ts";
import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { adminApi } from "../../cli/operator/admin_api.ts";
import { simulatorApi } from "../../cli/operator/simulator.ts";
import { readStack } from "../../cli/operator/stack.ts";
import { createWait } from "../../cli/operator/wait.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { root } from "../../stack/environment.ts";
import { runProgram } from "../../stack/program.ts";
import { labCommand, publish, say } from "../command.ts";

const values = labCommand(
  "chaos:secrets",
  `Rotate every secret of the running stack while it is used.

Requests reach the API without a pause, and simulated phones exchange messages through the shards.
The second rotation goes back from the second logins of Postgres. Exits 1 if a request failed, a
message was lost or doubled, a secret kept its value, or a call cannot be made afterwards.`,
)
  .option("--rate <n>", "requests a second", wholeNumber(1, 1_000), 20)
  .option("--rotations <n>", "how often each secret is rotated", wholeNumber(1, 10), 1)
  .option("--seconds <n>", "how long messages flow, for each rotation", wholeNumber(10), 300)
  .option("--only <names>", "secrets to rotate, with commas between", "all")
  .parse()
  .opts();

const stack = await readStack();
const api = await adminApi(stack, { timeoutMs: 20_000 });
const simulator = await simulatorApi(stack);
let over = false;

const task = async (name: string, ...args: string[]) => {
  const ended = await runProgram(["./scripts/task", name, ...args], { cwd: root });
  if (ended.code !== 0) throw new Error(`task ${name} exited ${ended.code}: ${ended.stderr}`);
  return jsonOrUndefined(ended.stdout.trim().split("\n").at(-1) ?? "");
};

type Secret = { name: string; fingerprint: string | null; rotatable: boolean; rotation: string | null };
const survey = async () => ((await task("secrets", "--", "--json")) as { secrets: Secret[] }).secrets;

/** Requests at a steady rate, through nginx: reads of the database, and a row of its own. */
async function request(): Promise<{ requests: number; failures: string[] }> {
  const failures: string[] = [];
  const pending = new Set<Promise<void>>();
  let requests = 0;
  const one = async () => {
    requests += 1;
    try {
      if (requests % 10 === 0) {
        const { id } = await bodyOf(api.POST("/v1/businesses", { body: { name: "Rotations" } }));
        await api.DELETE("/v1/businesses/{business_id}", { params: { path: { business_id: id } } });
      } else await api.GET("/v1/businesses", { params: { query: { limit: 5 } } });
    } catch (error) {
      failures.push(messageOf(error));
    }
  };
  while (!over) {
    const sent = one().finally(() => pending.delete(sent));
    pending.add(sent);
    await sleep(1_000 / values.rate);
  }
  await Promise.all(pending);
  return { requests, failures };
}

/** Milliseconds between two messages. */
const everyMs = 100;

type Demo = { sent: number; lost: number; duplicates: number; reordered: number };

/** Sends through a shard for as long as a rotation takes. A pairing is not repeated when its shard restarts. */
async function exchange(): Promise<Demo> {
  const messages = `${Math.round((values.seconds * values.rotations * 1_000) / everyMs)}`;
  const flow = ["--messages", messages, "--every-ms", `${everyMs}`, "--deadline-s", "600"];
  return (await task("demo", "--", "--json", ...flow)) as Demo;
}

/** Rotates everything but the carrier's token, which "all" leaves to the operator. */
async function rotate(): Promise<number> {
  const began = performance.now();
  for (let rotation = 1; rotation <= values.rotations; rotation++) {
    await task("secrets:rotate", `NAME=${values.only}`, "--", "--json");
    say(`rotation ${rotation} ended after ${Math.round((performance.now() - began) / 1000)} s`);
  }
  return Math.round((performance.now() - began) / 1000);
}

const accepted = async () => (await simulator<{ messages_accepted: number }>("GET", "/stats")).messages_accepted;
const before = await survey();
const acceptedBefore = await accepted();
const exchanged = exchange();
exchanged.catch(() => {});
await createWait(120_000)("the first message", async () => (await accepted()) > acceptedBefore);
const requested = request();
let rotateS: number;
let messages: Demo;
try {
  rotateS = await rotate();
  messages = await exchanged;
  // The simulator is the carrier and WhatsApp: it restarts, and its phones with it.
  if (values.only === "all") await task("secrets:rotate", "NAME=twilio_auth_token", "--", "--json");
} finally {
  over = true;
}
const { requests, failures } = await requested;
const after = await survey();
const rotatable = before.filter(
  ({ name, rotatable: can }) => can && (values.only === "all" || values.only.split(",").includes(name)),
);
const kept = rotatable.filter(({ name, fingerprint }) => {
  const now = after.find((one) => one.name === name);
  return now?.fingerprint === fingerprint || now?.rotation !== null;
});
const call = await task("demo:call", "--", "--json").then(
  () => "made",
  (error: unknown) => messageOf(error),
);
for (const failure of [...new Set(failures)].slice(0, 10)) say(`failed: ${failure}`);
const result = {
  secrets: rotatable.length,
  kept: kept.map(({ name }) => name),
  rotate_s: rotateS,
  requests,
  failed_requests: failures.length,
  messages: messages.sent,
  lost: messages.lost,
  duplicates: messages.duplicates,
  reordered: messages.reordered,
  call,
};
await publish("chaos:secrets", values, result);
const faults = failures.length + kept.length + messages.lost + messages.duplicates + messages.reordered;
process.exitCode = faults > 0 || call !== "made" ? 1 : 0;
