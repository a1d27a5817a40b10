import { startConsulServer } from "../../../lib/testing/consul_server.ts";
import { startNomadServer } from "../../../lib/testing/nomad_server.ts";
import { createConsul } from "../../../lib/consul/client.ts";
import { createNomad } from "../../stack/nomad.ts";
import type { Job } from "../../stack/nomad.ts";
import { readVariables } from "./cluster.ts";
import { loadConsulSnapshot, loadNomadSnapshot } from "./snapshots.ts";
import type { Variables } from "./sources.ts";

/*
 * Snapshots are opened by the programs that wrote them: servers of this machine on loopback, without access control,
 * which end right after. So a restore takes from a snapshot what it needs, without the nodes, allocations and tokens
 * of the lost cluster; and reading the variables proves that the snapshot has the keyring.
 */

/** Without these, a server on a machine with a Consul agent would register there, and join the servers it finds. */
const alone = {
  consul: { auto_advertise: false, server_auto_join: false, client_auto_join: false, address: "127.0.0.1:9" },
};

export type NomadContent = {
  variables: Variables;
  /** Count of each group, as "job/group". */
  counts: Record<string, number>;
};

export async function readNomadSnapshot(snapshot: Uint8Array): Promise<NomadContent> {
  const server = await startNomadServer(alone);
  try {
    await loadNomadSnapshot(server.addr, snapshot);
    const nomad = createNomad(server.addr);
    const variables = await readVariables(nomad);
    const stubs = await nomad<{ ID: string; Type: string; ParentID: string }[]>("GET", "/v1/jobs");
    const counts: Record<string, number> = {};
    for (const { ID } of stubs.filter(({ Type, ParentID }) => Type === "service" && !ParentID)) {
      const { TaskGroups } = await nomad<Job>("GET", `/v1/job/${encodeURIComponent(ID)}`);
      for (const { Name, Count } of TaskGroups) counts[`${ID}/${Name}`] = Count;
    }
    return { variables, counts };
  } finally {
    await server.stop();
  }
}

type Entry = { Key: string; Value: string | null; LockIndex: number };

/** Keys that name nodes or processes of the lost cluster. */
const ofItsNodes = /^prosaas\/(scale|restores|backup|whatsapp\/(relocations|shards))\//;

/** The settings in Consul's KV. Locks are left out: they belong to processes that no longer exist. */
export async function readConsulSnapshot(snapshot: Uint8Array): Promise<Map<string, string>> {
  const server = await startConsulServer();
  try {
    await loadConsulSnapshot(server.addr, snapshot);
    const { body } = await createConsul({ addr: server.addr }).blockingGet("/v1/kv/prosaas/?recurse", { index: 0 });
    const entries = ((body ?? []) as Entry[]).filter(({ Key, LockIndex }) => LockIndex === 0 && !ofItsNodes.test(Key));
    return new Map(entries.map(({ Key, Value }) => [Key, Buffer.from(Value ?? "", "base64").toString("utf8")]));
  } finally {
    await server.stop();
  }
}
