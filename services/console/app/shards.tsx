import { useEffect } from "preact/hooks";
import { api, bodyOf } from "./api.ts";
import { useLoaded } from "./hooks.ts";
import { Page, Show, State, Table } from "./parts.tsx";

const everyMs = 3_000;

async function readShards() {
  const [shards, assignments] = await Promise.all([
    bodyOf(api.GET("/v1/admin/shards")),
    bodyOf(api.GET("/v1/admin/assignments")),
  ]);
  const assigned = new Map(assignments.data.map((each) => [each.shard, each]));
  return shards.data.map((shard) => Object.assign({}, shard, { assigned: assigned.get(shard.shard) }));
}

export function ShardsPage({ happened }: { happened: number }) {
  // Events report added and removed shards. Their load has to be polled.
  const shards = useLoaded("shards", readShards, everyMs);
  useEffect(() => {
    if (happened > 0) shards.reload();
  }, [happened]);
  return (
    <Page title="Shards">
      <Show of={shards}>
        {(rows) => (
          <Table
            label="Shards"
            rows={rows}
            keyOf={({ shard }) => String(shard)}
            empty="No shards."
            columns={[
              { title: "Shard", number: true, cell: ({ shard }) => shard },
              { title: "State", cell: ({ healthy }) => <State of={healthy ? "healthy" : "unreachable"} /> },
              { title: "Businesses", number: true, cell: ({ assigned }) => assigned?.businesses ?? "–" },
              { title: "Sessions", number: true, cell: ({ sessions }) => sessions ?? "–" },
              { title: "Open", number: true, cell: ({ sessions_open }) => sessions_open ?? "–" },
              { title: "Moving", number: true, cell: ({ assigned }) => assigned?.moving ?? "–" },
              { title: "Messages/min", number: true, cell: ({ messages_per_minute }) => messages_per_minute ?? "–" },
              { title: "Journal", number: true, cell: ({ assigned }) => assigned?.journal ?? "–" },
              { title: "Address", cell: ({ address }) => <code>{address ?? "–"}</code> },
              { title: "Version", cell: ({ version }) => version ?? "–" },
            ]}
          />
        )}
      </Show>
    </Page>
  );
}
