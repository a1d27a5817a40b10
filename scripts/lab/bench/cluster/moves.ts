import { bodyOf } from "../../../../lib/api-client/index.ts";
import type { Schemas } from "../../../../lib/api-client/index.ts";
import { until } from "../../../../lib/testing/until.ts";
import { runningMoves } from "../../../cli/scale/moves.ts";
import { ChatLog, screenTexts } from "../../rig/chat_log.ts";
import { compareChats } from "../../rig/comparison.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { messageRequest, sendUntilDecided } from "../../rig/customer_api.ts";
import type { Customer } from "../../rig/platform.ts";
import { settled } from "../../rig/settled.ts";
import { textOf } from "../../rig/text.ts";
import { realShards } from "./control_plane.ts";
import type { ControlPlane } from "./control_plane.ts";

export type MovesResult = {
  /** Moves that the API reports as done. */
  done: number;
  rolledBack: number;
  perMinute: number;
  silentMsMax: number;
  /** Businesses whose row names another shard than that of their last move. */
  rowsWrong: number;
  /** A message of each business to its contact, sent through the API after its moves. */
  comparison: Comparison;
};

/** A move waits for its steps, which take a few hundred milliseconds. */
const pollMs = 50;

/**
 * Moves every business to the other real shard and back, through the API and the workers, until `total` moves have
 * ended. Then each business sends a message, which arrives only if rows, directory and sessions agree.
 */
export async function measureMoves(
  plane: Pick<ControlPlane, "api" | "platform">,
  customers: readonly Customer[],
  total: number,
): Promise<MovesResult> {
  const { api, platform } = plane;
  const ended: Schemas["Move"][] = [];
  const homes = new Map(customers.map(({ id, shard }) => [id, shard]));
  let started = 0;
  const began = performance.now();
  await Promise.all(
    customers.map(async ({ id }) => {
      while (started < total) {
        started += 1;
        const shard = (homes.get(id)! % realShards) + 1;
        const move = await moveTo(api, id, shard);
        if (move.status === "done") homes.set(id, shard);
        ended.push(move);
      }
    }),
  );
  const minutes = (performance.now() - began) / 60_000;
  const rows = await platform.owner<{ id: string; whatsapp_shard: number }[]>`
    select id, whatsapp_shard from businesses where id = any(${[...homes.keys()]}::uuid[])`;
  const done = ended.filter(({ status }) => status === "done");
  return {
    done: done.length,
    rolledBack: ended.length - done.length,
    perMinute: done.length / minutes,
    silentMsMax: Math.max(0, ...done.map(({ silent_ms }) => silent_ms ?? 0)),
    rowsWrong: customers.length - rows.filter(({ id, whatsapp_shard: shard }) => homes.get(id) === shard).length,
    comparison: await messageEach(plane, customers),
  };
}

async function moveTo(api: ControlPlane["api"], business_id: string, shard: number): Promise<Schemas["Move"]> {
  const params = { path: { business_id } };
  const start = async () => {
    try {
      return await bodyOf(api.POST("/v1/admin/businesses/{business_id}/move", { params, body: { shard } }));
    } catch (error) {
      // A request that the API answered with 503 may have started the move.
      const running = (await runningMoves({ api })).find((move) => move.business_id === business_id);
      if (running === undefined) throw error;
      return running;
    }
  };
  const { id } = await until(start, { what: "the API to start a move", everyMs: 200 });
  const ended = async () => {
    const move = await bodyOf(api.GET("/v1/admin/moves/{move_id}", { params: { path: { move_id: id } } }));
    return move.status === "in_progress" ? undefined : move;
  };
  return until(ended, { what: "a move to end", everyMs: pollMs, deadlineMs: 120_000 });
}

async function messageEach(
  { platform: { apis, simulator } }: Pick<ControlPlane, "platform">,
  customers: readonly Customer[],
): Promise<Comparison> {
  const sent = new ChatLog();
  const accepted = customers.map(async (customer) => {
    const contact = customer.contacts[0]!;
    const text = textOf("moved", customer.phone, 0);
    sent.add(contact, text);
    const request = messageRequest(customer, contact, text);
    await sendUntilDecided(apis[0]!.url, request, { timeoutMs: 10_000, pauseMs: 200 });
  });
  await Promise.all(accepted);
  // A lost message leaves the deadline to end the wait.
  const shown = () => screenTexts(simulator, sent.chats.keys());
  const arrived = async () => [...(await shown()).values()].every((texts) => texts.length > 0);
  await until(arrived, { what: "every message on its phone", everyMs: 200 }).catch(() => {});
  await settled(simulator);
  return compareChats(sent.chats, await shown());
}
