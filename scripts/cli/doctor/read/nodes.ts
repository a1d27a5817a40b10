import { z } from "zod";
import { messageOf } from "../../../../lib/core/errors.ts";
import type { Nomad } from "../../../stack/nomad.ts";
import type { NodeNow } from "../checks/nodes.ts";

const stubs = z.array(
  z.object({
    ID: z.string(),
    Name: z.string(),
    Status: z.string(),
    SchedulingEligibility: z.string(),
    Drain: z.boolean(),
  }),
);

const hostStats = z.object({
  Memory: z.object({ Total: z.number(), Available: z.number() }),
  AllocDirStats: z.object({ Size: z.number(), Available: z.number() }),
  /** Unix nanoseconds by the node's clock. */
  Timestamp: z.number(),
});

export async function readNodes(nomad: Nomad): Promise<NodeNow[]> {
  const nodes = stubs.parse(await nomad("GET", "/v1/nodes"));
  return Promise.all(
    nodes.map(async ({ ID, Name, Status, SchedulingEligibility, Drain }) => ({
      name: Name,
      status: Status,
      isEligible: SchedulingEligibility === "eligible",
      isDraining: Drain,
      stats: Status === "ready" ? await readStats(nomad, ID) : null,
    })),
  );
}

async function readStats(nomad: Nomad, id: string): Promise<NonNullable<NodeNow["stats"]>> {
  try {
    const sent = Date.now();
    const answer = await nomad("GET", `/v1/client/stats?node_id=${id}`);
    const halfway = (sent + Date.now()) / 2;
    const { Memory, AllocDirStats, Timestamp } = hostStats.parse(answer);
    return {
      memory: { total: Memory.Total, free: Memory.Available },
      disk: { total: AllocDirStats.Size, free: AllocDirStats.Available },
      clockAheadMs: Timestamp / 1e6 - halfway,
    };
  } catch (error) {
    return { unread: messageOf(error) };
  }
}
