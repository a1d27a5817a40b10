import { shardService } from "../../../../lib/routing/index.ts";

/** Consul's transactions take up to 64 operations. */
const operationsATransaction = 64;

/** Shards in Consul's catalog, on a node of their own that no agent watches over. */
export type Fleet = {
  add(shards: number): Promise<void>;
  remove(): Promise<void>;
};

export function createFleet(consulUrl: string): Fleet {
  const node = "bench-fleet";
  const put = async (path: string, body: unknown) => {
    const answer = await fetch(`${consulUrl}${path}`, { method: "PUT", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`Consul refused ${path}: ${await answer.text()}`);
  };
  return {
    add: async (shards) => {
      await put("/v1/catalog/register", { Node: node, Address: "127.0.0.1", SkipNodeUpdate: false });
      const operations = Array.from({ length: shards }, (_, k) => ({
        Service: {
          Verb: "set",
          Node: node,
          Service: {
            ID: `shard-${k + 1}`,
            Service: shardService,
            Tags: [`shard-${k + 1}`],
            Address: "127.0.0.1",
            Port: 20_000 + k,
            Meta: { shard: `${k + 1}` },
          },
        },
      }));
      for (let from = 0; from < operations.length; from += operationsATransaction) {
        await put("/v1/txn", operations.slice(from, from + operationsATransaction));
      }
    },
    remove: () => put("/v1/catalog/deregister", { Node: node }),
  };
}
