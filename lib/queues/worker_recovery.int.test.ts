import { describe, expect, test } from "bun:test";
import { createTestQueues } from "../testing/queues.ts";
import { createRedisServer } from "../testing/redis_server.ts";
import { until } from "../testing/until.ts";
import { queueDepths } from "./depths.ts";
import { useQueues } from "../testing/use_queues.ts";

const stage = useQueues();

const payload = { business_id: "01900000-0000-7000-8000-000000000001" };
const letters = async () => (await stage.queues.deadLetters.list("high")).letters;

describe("close", () => {
  test("hands an overlong run to another worker", async () => {
    const started = Promise.withResolvers<void>();
    const first = await stage.queues.serve("high", {
      send: ({ signal }) => {
        started.resolve();
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
        );
      },
    });
    await stage.queues.producer.wake("send", payload);
    await started.promise;
    await first.close(50);
    expect((await queueDepths(stage.queues.redis, ["high"]))[0]).toMatchObject({ active: 0, dead: 0 });
    await stage.queues.serve("high", { send: async () => ({}) });
    await until(() => stage.queues.lines.find((line) => line["outcome"] === "done"), {
      what: "the run at the other worker",
    });
  });

  test("lets a notified handler hand back its job", async () => {
    const started = Promise.withResolvers<void>();
    const worker = await stage.queues.serve("high", {
      send: async ({ stopping }) => {
        started.resolve();
        await new Promise((resolve) => stopping.addEventListener("abort", resolve, { once: true }));
        return { again: { inMs: 0, reason: "stopping" } };
      },
    });
    await stage.queues.producer.wake("send", payload);
    await started.promise;
    await worker.close(60_000);
    const [depth] = await queueDepths(stage.queues.redis, ["high"]);
    expect(depth!.waiting + depth!.delayed).toBe(1);
  });
});

describe("recovery", () => {
  test("runs the job of a killed worker again", async () => {
    const { host, port, db } = stage.queues.redis.options;
    const url = `${host}:${port}/${db}`;
    const script = `
    import { createRedis } from "${import.meta.dir}/../redis/client.ts";
    import { Worker } from "bullmq";
    const connection = createRedis("redis://${url}", "queue");
    new Worker("high", () => { console.log("started"); return new Promise(() => {}); },
      { connection, prefix: "prosaas", lockDuration: 500, stalledInterval: 200 });
  `;
    const victim = Bun.spawn([process.execPath, "-e", script], {
      cwd: import.meta.dir,
      stdout: "pipe",
      stderr: "inherit",
    });
    try {
      await stage.queues.producer.wake("send", payload);
      const { value } = await victim.stdout.getReader().read();
      expect(new TextDecoder().decode(value)).toContain("started");
    } finally {
      victim.kill("SIGKILL");
      await victim.exited;
    }
    await stage.queues.serve(
      "high",
      { send: async ({ attempt }) => ({ counts: { began: attempt } }) },
      { recovery: { lockMs: 500, checkMs: 200 } },
    );
    const line = await until(() => stage.queues.lines.find((one) => one["outcome"] === "done"), {
      what: "the run at another worker",
    });
    expect(line).toMatchObject({ attempt: 1, ...payload });
    expect(await letters()).toEqual([]);
  });

  test("serves again within seconds after a Redis restart", async () => {
    const server = await createRedisServer();
    await server.start();
    const restarted = await createTestQueues(server.url);
    try {
      let runs = 0;
      const send = async () => {
        runs += 1;
        return {};
      };
      await restarted.serve("high", { send });
      await restarted.producer.wake("send", payload);
      await until(() => runs === 1, { what: "a run before the restart" });
      await server.stop();
      await server.start();
      const back = performance.now();
      await restarted.producer.wake("send", payload);
      await until(() => runs === 2, { what: "a run after the restart" });
      expect(performance.now() - back).toBeLessThan(15_000);
    } finally {
      await restarted.close();
      await server.stop();
    }
  });

  test("a job that keeps crashing becomes a dead letter", async () => {
    const { host, port, db } = stage.queues.redis.options;
    const script = `
    import { createRedis } from "${import.meta.dir}/../redis/client.ts";
    import { createLogger } from "${import.meta.dir}/../runtime/log.ts";
    import { createQueueWorker } from "${import.meta.dir}/worker.ts";
    const nothing = { of: () => ({ waited() {}, ran() {} }), stalled() {}, error() {} };
    createQueueWorker({
      queue: "high",
      redis: createRedis("redis://${host}:${port}/${db}", "queue"),
      handlers: { send: async () => process.kill(process.pid, "SIGKILL") },
      logger: createLogger("victim", "error"),
      metrics: nothing,
      recovery: { lockMs: 300, checkMs: 100 },
    });
  `;
    await stage.queues.producer.wake("send", payload);
    let deaths = 0;
    let over = false;
    const supervisor = (async () => {
      while (!over) {
        const victim = Bun.spawn([process.execPath, "-e", script], {
          cwd: import.meta.dir,
          stdout: "ignore",
          stderr: "inherit",
        });
        const ended = setInterval(() => over && victim.kill("SIGKILL"), 50);
        await victim.exited;
        clearInterval(ended);
        if (!over) deaths += 1;
      }
    })();
    const letter = await until(async () => (await letters())[0], {
      what: "a dead letter",
      deadlineMs: 110_000,
    }).finally(() => (over = true));
    await supervisor;
    expect(letter).toMatchObject({ job: "send", payload });
    expect(letter.reason).toContain("stalled");
    expect(deaths).toBeGreaterThan(1);
    expect(deaths).toBeLessThan(10);
  });
});
