import { describe, expect, test } from "bun:test";
import {
  addOptOut,
  addRecipients,
  broadcastProgress,
  changeBroadcastStatus,
  learnNames,
  unmergedAliases,
} from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { useBroadcastStage } from "../testing/broadcasts.ts";

const stage = useBroadcastStage();
const { chat, draft, reached, scope, serve, wake } = stage;

const account = chat(1);
const spelling = "15559999999@s.whatsapp.net";
const lid = "777@lid";

/** WhatsApp answers the account for its other spelling, and the shard sends to it alone. */
const spell = () => {
  const { shard } = stage.workers;
  const accountOf = (jid: string) => (jid === spelling || jid === lid ? account : jid);
  shard.accountOf = (number) => accountOf(`${number}@s.whatsapp.net`);
  shard.decide = ({ to }) => (accountOf(to) === to ? undefined : { status: "retry", account: accountOf(to) });
};
const startWith = async (...recipients: string[]) => {
  const id = await draft(0);
  await addRecipients(
    scope(),
    id,
    recipients.map((to) => ({ chat: to, fields: { name: to }, text_length: 20 })),
  );
  await changeBroadcastStatus(scope(), id, "start");
  await wake(id);
  return id;
};
const reachedChats = () => stage.workers.shard.deliveries.map((delivery) => delivery.chat);

describe("a broadcast", () => {
  test("reaches an account under two unknown spellings once", async () => {
    spell();
    await serve();
    const id = await startWith(spelling, account, chat(2));
    await reached(id, "completed");
    expect(reachedChats().toSorted()).toEqual([account, chat(2)]);
    expect(await broadcastProgress(scope(), id)).toMatchObject({ recipients: 3, messages: { sent: 2, failed: 1 } });
    const failed = (await stage.workers.rows(stage.business)).find(({ status }) => status === "failed");
    expect(failed).toMatchObject({ error_code: "duplicate_recipient", chat: account });
  });

  test("reaches an account once whose chats are merged before", async () => {
    const { shard, producer, rows, serve: serveQueue } = stage.workers;
    shard.refuse = () =>
      Response.json(
        { type: "urn:prosaas:problem:unavailable", title: "", status: 503, detail: "restarting", request_id: "r" },
        { status: 503 },
      );
    await serve();
    const id = await startWith(lid, account, chat(2));
    await until(async () => (await rows(stage.business)).length === 3, { what: "the messages" });
    const { businessId: business_id } = scope();
    await learnNames(scope(), [{ business_id, alias: lid, chat: account }]);
    await serveQueue("default");
    await producer.wake("merge_chats", { business_id });
    await until(async () => (await unmergedAliases(scope(), 1)).length === 0, { what: "the merge" });
    shard.refuse = () => undefined;
    await stage.wakeSends();
    await reached(id, "completed");
    expect(reachedChats().toSorted()).toEqual([account, chat(2)]);
    expect(await broadcastProgress(scope(), id)).toMatchObject({ recipients: 3, messages: { sent: 2, failed: 1 } });
  });

  test("keeps its message in flight past an urgent one", async () => {
    spell();
    const { shard, producer, queueMessage } = stage.workers;
    const [inFlight, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    shard.beforeAnswer = async ({ messages }) => {
      if (messages.every(({ to }) => to !== account) || messages.every(({ to }) => to !== spelling)) return undefined;
      inFlight.resolve();
      await answer.promise;
      return undefined;
    };
    await serve();
    // The first of the two is the one that would be kept if neither were in flight.
    const id = await startWith(spelling, account);
    await inFlight.promise;
    const urgent = await queueMessage(stage.business, spelling, "urgent");
    await producer.wake("send", { business_id: stage.business });
    const statusOf = async (message: string) =>
      (await stage.workers.rows(stage.business)).find((row) => row.id === message)?.status;
    await until(async () => (await statusOf(urgent)) === "sent", { what: "the urgent message to be sent" });
    answer.resolve();
    await reached(id, "completed");
    expect(shard.deliveries.map(({ chat: to, text }) => [to, text])).toEqual([
      [account, `Hello ${account}`],
      [account, "urgent"],
    ]);
    expect(await broadcastProgress(scope(), id)).toMatchObject({ messages: { sent: 1, failed: 1 } });
  });

  test("reaches an account under names that become known once", async () => {
    spell();
    const id = await draft(0);
    const recipients = [lid, account, spelling].map((to) => ({ chat: to, fields: { name: to }, text_length: 20 }));
    await addRecipients(scope(), id, recipients);
    const { businessId: business_id } = scope();
    await learnNames(scope(), [
      { business_id, alias: lid, chat: account },
      { business_id, alias: spelling, chat: account },
    ]);
    expect(await addRecipients(scope(), id, recipients)).toBe(0);
    await changeBroadcastStatus(scope(), id, "start");
    await wake(id);
    await serve();
    await reached(id, "completed");
    expect(reachedChats()).toEqual([account]);
    expect(await broadcastProgress(scope(), id)).toMatchObject({ recipients: 3, duplicate: 2, messages: { sent: 1 } });
  });

  test.each([60_000, 60])("reaches an account after a failed one: %d", async (per_minute) => {
    const id = await draft(0, { per_minute });
    const recipients = [spelling, account].map((to, n) => {
      return { chat: to, fields: { name: n === 0 ? "N".repeat(70_000) : "N" }, text_length: 20 };
    });
    await addRecipients(scope(), id, recipients);
    await learnNames(scope(), [{ business_id: scope().businessId, alias: spelling, chat: account }]);
    await changeBroadcastStatus(scope(), id, "start");
    await wake(id);
    await serve();
    await reached(id, "completed");
    expect(reachedChats()).toEqual([account]);
    expect(await broadcastProgress(scope(), id)).toMatchObject({ duplicate: 0, messages: { sent: 1, failed: 1 } });
  });

  test.each([
    ["the account", account, spelling],
    ["another spelling", spelling, account],
    ["the LID", lid, spelling],
  ])("never reaches who opted out under %s", async (_, optedOut, recipient) => {
    spell();
    if (optedOut === lid) {
      await learnNames(scope(), [{ business_id: scope().businessId, alias: lid, chat: account }]);
    }
    await addOptOut(scope(), optedOut);
    await serve();
    const id = await startWith(recipient, chat(2));
    await reached(id, "completed");
    expect(reachedChats()).toEqual([chat(2)]);
  });

  test("waits until WhatsApp says which accounts opted out", async () => {
    spell();
    let refusals = 0;
    let throttled = true;
    stage.workers.shard.refuseNumbers = () => {
      if (!throttled) return undefined;
      refusals += 1;
      return Response.json(
        { type: "urn:prosaas:problem:rate_limited", title: "", status: 429, detail: "throttled", request_id: "r" },
        { status: 429, headers: { "retry-after": "1" } },
      );
    };
    await addOptOut(scope(), spelling);
    await serve();
    const id = await startWith(account, chat(2));
    await until(() => refusals >= 2, { what: "the refusals" });
    expect(reachedChats()).toEqual([]);
    throttled = false;
    await reached(id, "completed");
    expect(reachedChats()).toEqual([chat(2)]);
  });
});
