import { describe, expect, test } from "bun:test";
import { definitionOf } from "../../../lib/queues/index.ts";
import { rotateWebhookSecret } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { createAddressPolicy } from "../../../lib/webhooks/address_policy.ts";
import { generateWebhookSecret } from "../../../lib/webhooks/signature.ts";
import { useWebhookStage } from "../testing/webhooks.ts";

const stage = useWebhookStage();
const { chat, passTime, receive, scope, serve, settled, texts } = stage;

describe("slow endpoints", () => {
  test("do not delay a message", async () => {
    const hung = Promise.withResolvers<Response>();
    const share = definitionOf("high").shares!["deliver"]!;
    for (let n = 0; n < share + 8; n++) {
      const id = await stage.workers.business();
      const endpoint = await stage.workers.endpoint(id);
      endpoint.answer = () => hung.promise;
      const said = {
        wa_message_id: `H${n}`,
        chat: chat(0),
        sender: chat(0),
        from_me: false,
        timestamp: Date.now(),
        type: "text",
        text: "x",
      };
      stage.workers.shard.append("inbound", id, said);
    }
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await until(() => stage.workers.lines.some((line) => line["reason"] === "the job's share of the slots is taken"), {
      what: "the share to be taken",
    });
    const start = performance.now();
    await stage.workers.queueMessage(stage.business, chat(1), "code 4711");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    await until(() => stage.workers.shard.deliveries.length === 1, { what: "the message" });
    // Far below the timeout of a request to an endpoint.
    expect(performance.now() - start).toBeLessThan(10_000);
    hung.resolve(new Response(null, { status: 200 }));
  });

  test("leave slots to other businesses", async () => {
    const hung = Promise.withResolvers<undefined>();
    const slow = await Promise.all(Array.from({ length: 12 }, () => stage.workers.endpoint(stage.business)));
    for (const endpoint of slow) endpoint.answer = () => hung.promise;
    const other = await stage.workers.business();
    const quick = await stage.workers.endpoint(other);
    // One slot more than a business's share.
    await stage.workers.serve("high", {
      definition: { ...definitionOf("high"), concurrency: 10, shares: { deliver: 9 } },
    });
    await receive(1);
    const asked = () => slow.reduce((sum, { requests }) => sum + requests, 0);
    await until(() => asked() === 8, { what: "the business's share" });
    const said = { chat: chat(0), sender: chat(0), from_me: false, timestamp: Date.now(), type: "text", text: "x" };
    stage.workers.shard.append("inbound", other, { wa_message_id: "OTHER", ...said });
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await until(() => quick.received.length === 1, { what: "the other's event" });
    expect(asked()).toBe(8);
    hung.resolve(undefined);
    await until(() => slow.every(({ received }) => received.length === 1), { what: "every event" });
  });

  test("cost no failed run", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { ordered: true });
    endpoint.answer = async () => {
      await Bun.sleep(50);
      return undefined;
    };
    await receive(80);
    // A turn takes half of it and leaves the other half to the requests in flight.
    await stage.workers.serve("high", { definition: { ...definitionOf("high"), timeoutMs: 5_000 } });
    await until(() => endpoint.received.length === 80, { what: "every event" });
    expect(texts(endpoint.received)).toEqual(Array.from({ length: 80 }, (_, n) => `${n}`));
    await settled(endpoint.id, "delivered");
    const runs = stage.workers.lines.filter((line) => line["job"] === "deliver");
    expect(runs.filter((line) => line["outcome"] === "failed")).toEqual([]);
    expect(runs.map((line) => line["reason"])).toContain("the turn is over");
  });

  test("an endless answer counts by its status", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    endpoint.answer = async () => new Response(endless);
    await serve();
    await receive(1);
    await settled(endpoint.id, "delivered");
  });

  test("a hanging request times out with a reason", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    endpoint.answer = () => new Promise(() => {});
    stage.workers.deps.webhooks.timeoutMs = 500;
    await serve();
    await receive(1);
    const [delivery] = await until(
      async () => {
        const rows = await stage.workers.deliveries(endpoint.id);
        return rows[0]?.attempts === 1 ? rows : null;
      },
      { what: "an attempt" },
    );
    expect(delivery).toMatchObject({
      status: "pending",
      last_status: null,
      last_error: "It did not answer within 0.5 s.",
    });
    expect(delivery!.last_duration_ms!).toBeGreaterThanOrEqual(450);
  });
});

describe("security", () => {
  test("does not follow redirects", async () => {
    const elsewhere = await stage.workers.endpoint(await stage.workers.business());
    const endpoint = await stage.workers.endpoint(stage.business);
    endpoint.answer = async () => Response.redirect(elsewhere.url, 307);
    await serve();
    await receive(1);
    await until(async () => (await stage.workers.deliveries(endpoint.id))[0]?.attempts === 1, { what: "an attempt" });
    expect((await stage.workers.deliveries(endpoint.id))[0]).toMatchObject({
      last_status: 307,
      last_error: "It answered 307. Redirects are not followed.",
    });
    expect(elsewhere.requests).toBe(0);
  });

  test("refuses private addresses after a DNS rebinding", async () => {
    const answers = ["8.8.8.8", "127.0.0.1"];
    const policy = createAddressPolicy({ lookup: async () => [{ address: answers.shift()!, family: 4 }] });
    const allowed: string[] = [];
    stage.workers.deps.webhooks.policy = {
      ...policy,
      // The test calls no public address: the attempt fails as on a network that is down.
      resolve: async (url) => {
        allowed.push(await policy.resolve(url));
        throw Object.assign(new Error("no network"), { code: "ENETUNREACH" });
      },
    };
    const literal = await stage.workers.endpoint(stage.business);
    const named = await stage.workers.endpoint(stage.business, {
      url: `https://rebinding.example:${new URL(literal.url).port}/hook`,
    });
    await serve();
    await receive(1);
    // Health is recorded when a turn ends; one turn resolves a name once.
    for (const { id } of [literal, named])
      await until(async () => (await stage.workers.webhook(id)).failures === 1, { what: "the turn's end" });
    expect((await stage.workers.deliveries(literal.id))[0]!.last_error).toContain("private or reserved network");
    expect((await stage.workers.deliveries(named.id))[0]!.last_error).toBe("The connection failed (ENETUNREACH).");
    await passTime(named.id);
    await until(async () => (await stage.workers.deliveries(named.id))[0]?.attempts === 2, {
      what: "the second attempt",
    });
    expect((await stage.workers.deliveries(named.id))[0]!.last_error).toContain("private or reserved network");
    expect(allowed).toEqual(["8.8.8.8"]);
    expect(literal.requests).toBe(0);
  });

  test("accepts the old secret during a rotation only", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    const [old] = endpoint.secrets;
    const fresh = generateWebhookSecret();
    await rotateWebhookSecret(
      scope(),
      endpoint.id,
      stage.workers.deps.webhooks.secrets.seal(endpoint.id, fresh),
      3_600,
    );
    await serve();
    await receive(1);
    await until(() => endpoint.received.length === 1, { what: "an event signed for the old secret" });
    endpoint.secrets = [fresh];
    await receive(1);
    await until(() => endpoint.received.length === 2, { what: "an event signed for the new secret" });
    await stage.workers.database.owner`update webhooks set previous_secret_until = now() - interval '1 second'`;
    endpoint.secrets = [old!];
    await receive(1);
    await until(() => endpoint.forged === 1, { what: "an event that the old secret does not fit" });
  });
});
