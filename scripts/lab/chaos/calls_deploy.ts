import { bodyOf } from "../../../lib/api-client/index.ts";
import { adminApi } from "../../cli/operator/admin_api.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { simulatorApi } from "../../cli/operator/simulator.ts";
import { readStack } from "../../cli/operator/stack.ts";
import { createWait } from "../../cli/operator/wait.ts";
import { createNomad } from "../../stack/nomad.ts";
import { createPeople } from "./calls/people.ts";
import { changed, createRollouts } from "./calls/rollout.ts";

const values = labCommand(
  "chaos:calls-deploy",
  `Kill a replica of the calls service and deploy it while calls are up.

Acts on the running stack, under Nomad and through nginx. One replica is killed with SIGKILL, then a
deploy replaces all of them: the old ones keep their calls for a grace period and hand them over.
Restores the job. Exits 1 if a call was dropped or a slot is still taken.`,
)
  .option("--calls <n>", "calls in progress", wholeNumber(), 40)
  .option("--replicas <n>", "replicas of the calls service", wholeNumber(), 3)
  .option("--grace-s <n>", "seconds for which a stopping replica keeps its calls", wholeNumber(), 15)
  .parse()
  .opts();
const size = { replicas: values.replicas, graceS: values.graceS };

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
  await publish("chaos:calls-deploy", values, result);
  process.exitCode = dropped > 0 || result.slots_afterwards > 0 ? 1 : 0;
} finally {
  await people.hangUp(sids).catch(() => {});
  await rollouts.rollOut(original);
}
