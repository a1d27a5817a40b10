import { messageOf } from "../../../../lib/core/errors.ts";
import { until } from "../../../../lib/testing/until.ts";
import type { Stage } from "./stage.ts";

/** Bytes of one filler. Redis accepts a write that starts below its limit, so it is full to within one filler. */
const largeBytes = 16 * 1024 * 1024;
const prefix = "hostile:filler:";
/** How long Redis stays full. */
const fullMs = 6_000;
const recoveryMs = 45_000;

export type FullRedis = {
  from: number;
  freedAt: number;
  /** Null if something did not recover; `missing` says what. */
  recoveredAt: number | null;
  missing: string;
};

/** Fills Redis to its limit with foreign keys, frees it and waits for recovery. */
export async function fillRedis({ redis, bystander, platform, target }: Stage): Promise<FullRedis> {
  const from = Date.now();
  let keys = 0;
  try {
    while (await isTaken(() => redis.setrange(`${prefix}${keys}`, largeBytes - 1, "x"))) keys += 1;
    const end = Date.now() + fullMs * target.patience;
    // Fills the space of expired keys again.
    while (Date.now() < end) {
      if (await isTaken(() => redis.setrange(`${prefix}${keys}`, largeBytes - 1, "x"))) keys += 1;
      await Bun.sleep(100);
    }
  } finally {
    for (let n = 0; n <= keys; n++) await redis.del(`${prefix}${n}`);
  }
  const freedAt = Date.now();
  let missing = "";
  const recovered = async () => {
    missing =
      (await unsentMessages(platform, bystander.id, freedAt)) ??
      (await unansweredCall(platform, bystander.number)) ??
      "";
    return missing === "";
  };
  const isRecovered = await until(recovered, { deadlineMs: recoveryMs, everyMs: 500 }).catch((error: unknown) => {
    missing ||= messageOf(error);
    return false;
  });
  return { from, freedAt, recoveredAt: isRecovered ? Date.now() : null, missing };
}

/** Reports messages that were accepted but not sent; undefined if sending works. */
async function unsentMessages(
  { owner }: Stage["platform"],
  businessId: string,
  freedAt: number,
): Promise<string | undefined> {
  const [row] = await owner<[{ queued: number; sent: number }]>`
    select count(*) filter (where status = 'queued' and queued_at < now() - interval '2 seconds')::integer as queued,
           count(*) filter (where sent_at > to_timestamp(${freedAt / 1000}::float8))::integer as sent
    from messages where business_id = ${businessId} and direction = 'outbound'`;
  if (row.queued > 0) return `${row.queued} messages are not sent`;
  return row.sent < 3 ? `${row.sent} messages were sent since` : undefined;
}

/** False if Redis is full. */
async function isTaken(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (String(error).includes("OOM")) return false;
    throw error;
  }
}

/** The log of a call that was not greeted; undefined if it was. */
async function unansweredCall({ simulator }: Stage["platform"], number: string): Promise<string | undefined> {
  const order = { from: "+15550000008", to: number, count: 1, duration_s: 3 };
  const { data } = await simulator.ask<{ data: { sid: string }[] }>("POST", "/calls", order);
  type View = { heard_ms: number; end: string | null; log: unknown[] };
  const look = () => simulator.ask<View>("GET", `/calls/${data[0]!.sid}`);
  const over = async () => {
    const { heard_ms, end } = await look();
    return heard_ms > 0 || end !== null;
  };
  await until(over, { deadlineMs: 5_000, everyMs: 100 }).catch(() => {});
  const call = await look();
  return call.heard_ms > 0 ? undefined : `a call was not greeted: ${JSON.stringify(call.log).slice(0, 500)}`;
}
