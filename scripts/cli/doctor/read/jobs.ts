import { z } from "zod";
import type { ConsulClient } from "../../../../lib/consul/client.ts";
import type { Nomad } from "../../../stack/nomad.ts";
import { observe } from "../../../stack/wait.ts";
import type { JobsNow } from "../checks/jobs.ts";
import type { CriticalCheck } from "../checks/services.ts";

/** Data services may be managed, and the edge may run without Nomad. */
const required = ["workers", "wa-shards", "calls", "api"];

const stubs = z.array(
  z.object({ ID: z.string(), Type: z.string(), ParentID: z.string().nullish(), Stop: z.boolean() }),
);

export async function readJobs(nomad: Nomad, consul: ConsulClient): Promise<JobsNow> {
  const all = stubs.parse(await nomad("GET", "/v1/jobs"));
  const running = all.filter(({ Type, ParentID, Stop }) => ["service", "system"].includes(Type) && !ParentID && !Stop);
  const ids = running.map(({ ID }) => ID);
  return {
    missing: required.filter((id) => !ids.includes(id)),
    observations: await Promise.all(ids.map((id) => observe(nomad, consul, id))),
    now: Date.now(),
  };
}

const critical = z.array(
  z.object({ Node: z.string(), ServiceName: z.string(), Name: z.string(), CheckID: z.string(), Output: z.string() }),
);

export async function readCriticalChecks(consul: ConsulClient): Promise<CriticalCheck[]> {
  const { body } = await consul.blockingGet("/v1/health/state/critical", { index: 0 });
  return critical.parse(body).map(({ Node, ServiceName, Name, CheckID, Output }) => ({
    node: Node,
    service: ServiceName,
    check: Name || CheckID,
    output: Output,
  }));
}
