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
  // Events tell of shards that come and go; how busy they are has to be asked.
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
            empty="No shard is known."
            columns={[
              { title: "Shard", number: true, cell: ({ shard }) => shard },
              { title: "State", cell: ({ healthy }) => <State of={healthy ? "healthy" : "away"} /> },
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
