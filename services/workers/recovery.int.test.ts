import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { uuidv7 } from "../../lib/core/ids.ts";
import {
  addRecipients,
  forBusiness,
  getBroadcast,
  insertBroadcast,
  changeBroadcastStatus,
} from "../../lib/db/index.ts";
import { testConsulAddr, testRedisUrl } from "../../lib/testing/servers.ts";
import { until } from "../../lib/testing/until.ts";
import { shardToken } from "./testing/shard.ts";
import { createTestWorkers } from "./testing/workers.ts";
import type { TestWorkers } from "./testing/workers.ts";
import { programCommand, programEnv } from "../../lib/testing/program.ts";

/* Runs the worker program as a process, because only a process can be killed. */

let workers: TestWorkers;
let business: string;
const processes: Bun.Subprocess[] = [];
beforeEach(async () => {
  workers = await createTestWorkers();
  business = await workers.business();
});
afterEach(async () => {
  for (const child of processes.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  await workers.close();
});

type Worker = { child: Bun.Subprocess<"ignore", "pipe", "inherit">; port: number; output: () => string };

async function startWorker(group: string, env: Record<string, string> = {}): Promise<Worker> {
  const child = Bun.spawn(programCommand("services/workers/main.ts"), {
    env: {
      ...programEnv(),
      WORKER_GROUP: group,
      REDIS_URL: testRedisUrl("workers"),
      DATABASE_URL_POOLER: workers.database.appUrl,
      SHARD_TOKEN: shardToken,
      DATA_KEYS: `test:${randomBytes(32).toString("base64")}`,
      BAILEYS_SHARD_1_URL: workers.shard.url,
      // As under Nomad, which registers the process; nothing needs to listen here.
      NOMAD_ALLOC_ID: "test",
      CONSUL_HTTP_ADDR: "127.0.0.1:9",
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  processes.push(child);
  let output = "";
  void (async () => {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) output += chunk;
  })();
  const port = await until(() => /"ops_port":(\d+)/.exec(output)?.[1], { what: "a worker that listens" });
  return { child, port: Number(port), output: () => output };
}

const fill = async (count: number) => {
  for (let i = 0; i < count; i++) await workers.queueMessage(business, `1555000000${i % 4}@s.whatsapp.net`, `${i}`);
};
const expectEachOnceInOrder = (count: number) =>
  expect(workers.shard.deliveries.map(({ text }) => text)).toEqual(Array.from({ length: count }, (_, i) => `${i}`));
const allSent = () =>
  until(async () => (await workers.rows(business)).every((row) => row.status === "sent"), {
    what: "all messages sent",
  });

describe("a killed worker", () => {
  test("another worker finishes the batch", async () => {
    const gate = Promise.withResolvers<void>();
    workers.shard.beforeAnswer = async () => {
      if (workers.shard.batches.length === 2) await gate.promise;
      return undefined;
    };
    await fill(130);
    const victim = await startWorker("high");
    await workers.producer.wake("send", { business_id: business });
    await until(() => workers.shard.batches.length === 2, { what: "the second batch" });
    const survivor = await startWorker("high");
    victim.child.kill("SIGKILL");
    await victim.child.exited;
    gate.resolve();
    const killed = performance.now();
    await allSent();
    // The job's lock and the lease expire within 8 s; the rest is for a busy machine. BullMQ's own times take a minute.
    expect(performance.now() - killed).toBeLessThan(25_000);
    expectEachOnceInOrder(130);
    await until(() => survivor.output().includes("job taken over from a worker that died"), { what: "the log line" });
  });

  test("broadcasts reach each recipient exactly once", async () => {
    const scope = forBusiness(workers.database.db, business);
    const id = uuidv7();
    const paced = { time_zone: null, scheduled_at: null, quiet_from: null, quiet_to: null, per_minute: 60_000 };
    await insertBroadcast(scope, { id, name: "Sale", text: "Hello {{n}}", ...paced });
    const recipients = Array.from({ length: 800 }, (_, n) => ({
      chat: `1555${String(n).padStart(7, "0")}@s.whatsapp.net`,
      fields: { n: `${n}` },
      text_length: `Hello ${n}`.length,
    }));
    await addRecipients(scope, id, recipients);
    await changeBroadcastStatus(scope, id, "start");
    await workers.producer.wake("broadcast", { broadcast_id: id });
    let before = 0;
    for (let kill = 0; kill < 3; kill++) {
      const { child } = await startWorker("low");
      await until(() => workers.shard.deliveries.length >= before + 50, {
        what: "the broadcast to go on",
      });
      child.kill("SIGKILL");
      await child.exited;
      before = workers.shard.deliveries.length;
    }
    expect(before).toBeLessThan(800);
    await startWorker("low");
    await until(async () => (await getBroadcast(scope, id))?.status === "completed", {
      what: "the broadcast's end",
    });
    expect(workers.shard.deliveries.map(({ text }) => text)).toEqual(
      recipients.map(({ fields }) => `Hello ${fields.n}`),
    );
  }, 240_000);
});

describe("a worker process", () => {
  test("hands over its work on SIGTERM, exits 0", async () => {
    const gate = Promise.withResolvers<void>();
    workers.shard.beforeAnswer = async () => {
      if (workers.shard.batches.length === 1) await gate.promise;
      return undefined;
    };
    await fill(130);
    const first = await startWorker("high");
    await workers.producer.wake("send", { business_id: business });
    await until(() => workers.shard.batches.length === 1, { what: "the first batch" });
    first.child.kill("SIGTERM");
    await until(() => first.output().includes('"stopping"'), { what: "the worker to begin to stop" });
    gate.resolve();
    expect(await first.child.exited).toBe(0);
    expect(workers.shard.deliveries.length).toBe(50);
    await startWorker("all");
    await allSent();
    expectEachOnceInOrder(130);
  });

  test("of all groups serves every queue and operations", async () => {
    await fill(3);
    const { port } = await startWorker("all");
    await allSent();
    expectEachOnceInOrder(3);
    const get = async (path: string) => await fetch(`http://127.0.0.1:${port}${path}`);
    expect((await get("/health")).status).toBe(200);
    expect(await (await get("/ready")).json()).toMatchObject({ status: "ready" });
    const metrics = async () => (await get("/metrics")).text();
    expect(await metrics()).toContain('prosaas_queue_depth{queue="recordings",state="waiting"');
    // The worker counts results after it wrote their rows.
    const sent = 'prosaas_send_results_total{status="sent",service="prosaas-worker-all"} 3\n';
    await until(async () => (await metrics()).includes(sent), { what: "the count of three results" });
  });

  test("names every configuration fault and exits 2", async () => {
    const child = Bun.spawn(programCommand("services/workers/main.ts"), {
      env: { ...programEnv(), WORKER_GROUP: "urgent", BAILEYS_SHARD_0_URL: "http://127.0.0.1:1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const faults = await new Response(child.stderr).text();
    expect(await child.exited).toBe(2);
    for (const name of [
      "WORKER_GROUP",
      "REDIS_URL",
      "DATABASE_URL_POOLER",
      "SHARD_TOKEN",
      "DATA_KEYS",
      "BAILEYS_SHARD_0_URL",
    ])
      expect(faults).toContain(name);
  });

  test("registers in Consul and deregisters on stop", async () => {
    const consul = `http://${testConsulAddr()}`;
    const { child, port } = await startWorker("low", { NOMAD_ALLOC_ID: "", CONSUL_HTTP_ADDR: testConsulAddr() });
    const registered = async () => {
      const services = z
        .array(z.object({ ServicePort: z.number() }))
        .parse(await (await fetch(`${consul}/v1/catalog/service/prosaas-worker-low`)).json());
      return services.some((service) => service.ServicePort === port);
    };
    await until(registered, { what: "the registration" });
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    // The catalogue follows the agent. Consul itself removes a dead service after ten minutes.
    await until(async () => !(await registered()), { what: "the deregistration" });
  });
});
