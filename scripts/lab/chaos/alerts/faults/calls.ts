import { callLimitKey } from "../../../../../lib/calls/limit.ts";
import { kvPut } from "../../../../../lib/consul/client.ts";
import { until } from "../../../../../lib/testing/until.ts";
import { carrierOf } from "../calls_part.ts";
import type { CallsPart } from "../calls_part.ts";
import type { Fault } from "../fault.ts";

const usualLimit = "50";

async function talk(calls: CallsPart): Promise<string> {
  const sid = await calls.dial();
  await until(() => calls.isHeard(sid), { what: "a caller to hear the agent" });
  return sid;
}

const metricOf = async ({ replicas }: CallsPart, name: string): Promise<number[]> => {
  const texts = await Promise.all(replicas.map(async ({ opsUrl }) => (await fetch(`${opsUrl}/metrics`)).text()));
  return texts.map((text) => Number(new RegExp(`^prosaas_${name}(?:\\{.*\\})? (\\d+)$`, "m").exec(text)?.[1]));
};

export const callFaults: readonly Fault[] = [
  {
    name: "a frozen Redis while a caller dials",
    needs: ["calls"],
    alerts: [{ alert: "CallsWithoutRedis" }],
    inject: async ({ platform: { redis }, calls }) => {
      redis.signal("SIGSTOP");
      const sid = await calls.dial();
      const counted = async () => (await metricOf(calls, "calls_redis_unavailable_total")).some((count) => count > 0);
      await until(counted, { what: "a refused call" }).finally(() => redis.signal("SIGCONT"));
      return () => calls.hangUp(sid).catch(() => {});
    },
  },
  {
    name: "as many calls as a limit that Consul then loses",
    needs: ["calls"],
    alerts: [{ alert: "CallCapacity" }, { alert: "CallLimitLost" }],
    inject: async ({ consul, calls }) => {
      const sids = [await talk(calls), await talk(calls)];
      await kvPut(consul, callLimitKey, String(sids.length));
      const seen = async () => (await metricOf(calls, "calls_limit")).every((limit) => limit === sids.length);
      await until(seen, { what: "the new limit" });
      await consul.api.kv.del(callLimitKey);
      // The calls go on: a later fault needs one.
      return () => kvPut(consul, callLimitKey, usualLimit);
    },
  },
  {
    name: "a frozen replica with a call",
    needs: ["calls"],
    alerts: [{ alert: "OrphanedCalls" }, { alert: "TargetDown", labels: () => ({ job: "prosaas-calls" }) }],
    inject: async ({ calls }) => {
      const { supervised } = await carrierOf(calls.replicas);
      supervised.signal("SIGSTOP");
      return async () => supervised.signal("SIGCONT");
    },
  },
];
