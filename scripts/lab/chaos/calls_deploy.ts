import { bodyOf } from "../../../lib/api-client/index.ts";
import { adminApi } from "../../cli/operator/admin_api.ts";
import { readRun } from "../../cli/operator/command_line.ts";
import { simulatorApi } from "../../cli/operator/simulator.ts";
import { readStack } from "../../cli/operator/stack.ts";
import { createWait } from "../../cli/operator/wait.ts";
import { createNomad } from "../../stack/nomad.ts";
import { createPeople } from "./calls/people.ts";
import { changed, createRollouts } from "./calls/rollout.ts";

const usage = `Usage: task chaos:calls-deploy [-- --json] [-- --calls N] [-- --replicas N] [-- --grace-s N]

On the stack that ./scripts/up started, under Nomad and through nginx: calls are up while one replica is killed with
SIGKILL, and then while a deploy replaces all of them. The old ones carry their calls on for a grace and then hand them
over. Puts the job back as it was; exits 1 if a call was dropped or a slot is left.

  --json        one JSON object as the last line
  --calls N     calls up meanwhile (40)
  --replicas N  replicas of the calls service (3)
  --grace-s N   how long an ending replica carries its calls on (15)`;

const values = readRun(usage, { calls: 40, replicas: 3, "grace-s": 15 });
const size = { replicas: values.replicas, graceS: values["grace-s"] };
const say = (line: string) => void process.stderr.write(`${line}\n`);

const stack = await readStack();
const simulator = await simulatorApi(stack);
const api = await adminApi(stack);
const rollouts = createRollouts(createNomad(stack.nomad_addr));
const number = `+9993${String(Date.now() % 1e8).padStart(8, "0")}`;
const people = createPeople(simulator, number);
const { id: business_id } = await bodyOf(api.POST("/v1/businesses", { body: { name: "Deploys under calls" } }));
await api.PUT("/v1/businesses/{business_id}/phone_numbers/{number}", { params: { path: { business_id, number } } });

const original = await rollouts.read();
const release = original.TaskGroups[0].Meta?.["release"] ?? "checkout";
let sids: string[] = [];
try {
  await rollouts.rollOut(changed(original, `${release}-a`, size));
  await rollouts.alone();
  say(`${size.replicas} replicas run`);
  sids = await people.call(values.calls);
  const silent = await people.press(sids, "1", "");
  say(`${sids.length} calls are up`);

  const [victim] = await rollouts.running();
  await rollouts.kill(victim!);
  silent.push(...(await people.press(sids, "2", "1+")));
  const afterKill = await people.silences(sids);
  say(`kill -9 of a replica: ${afterKill.length} calls went on, the longest silence ${Math.max(0, ...afterKill)} ms`);

  const began = performance.now();
  await rollouts.rollOut(changed(original, `${release}-b`, size));
  silent.push(...(await people.press(sids, "3", "1+2+")));
  await rollouts.alone();
  silent.push(...(await people.press(sids, "4", "1+2+3+")));
  const seconds = Math.round((performance.now() - began) / 1000);
  const silences = await people.silences(sids);
  const dropped = new Set([...silent, ...(await people.gone(sids))]).size;
  say(`deploy: ${seconds} s, ${silences.length - afterKill.length} changes of replica, ${dropped} calls dropped`);

  await people.hangUp(sids);
  const active = async () => (await bodyOf(api.GET("/v1/admin/calls"))).active;
  await createWait(30_000)("every slot to be free", async () => (await active()) === 0).catch(() => {});
  const result = {
    calls: sids.length,
    killed: afterKill.length,
    handed_over: silences.length - afterKill.length,
    dropped,
    silence_ms_max: Math.max(0, ...silences),
    slots_afterwards: await active(),
    deploy_s: seconds,
  };
  if (values.json) console.log(JSON.stringify(result));
  else console.log(result);
  process.exitCode = dropped > 0 || result.slots_afterwards > 0 ? 1 : 0;
} finally {
  await people.hangUp(sids).catch(() => {});
  await rollouts.rollOut(original);
}
