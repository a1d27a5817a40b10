import { useEffect, useState } from "preact/hooks";
import { api, bodyOf } from "./api.ts";
import type { Schemas } from "./api.ts";
import { useLoaded, useDebounced } from "./hooks.ts";
import { Page, Show, State, Table, When } from "./parts.tsx";

const pageSize = 25;

type Row = Schemas["Business"] & { session: Schemas["WhatsappSession"] | undefined };

/** Reads a page of businesses and the session of each. Leaves a session undefined if its shard is unreachable. */
async function readPage(name: string, cursor: string | undefined): Promise<{ rows: Row[]; next: string | null }> {
  const query = { limit: pageSize, cursor, name: name || undefined };
  const { data, next_cursor } = await bodyOf(api.GET("/v1/businesses", { params: { query } }));
  const rows = await Promise.all(
    data.map(async (business) => {
      const path = { business_id: business.id };
      const session = await bodyOf(api.GET("/v1/businesses/{business_id}/whatsapp", { params: { path } })).catch(
        () => undefined,
      );
      return { ...business, session };
    }),
  );
  return { rows, next: next_cursor };
}

export function BusinessesPage({ happened }: { happened: number }) {
  const [name, setName] = useState("");
  const [wanted, setWanted] = useState("");
  const [cursors, setCursors] = useState<string[]>([]);
  const page = useLoaded(`${wanted} ${cursors.join()}`, () => readPage(wanted, cursors.at(-1)));
  const search = useDebounced(() => (setWanted(name.trim()), setCursors([])), 300);
  const refresh = useDebounced(page.reload, 1_000, 3_000);
  useEffect(() => {
    if (happened > 0) refresh();
  }, [happened, refresh]);

  return (
    <Page
      title="Businesses"
      aside={
        <label class="search">
          <span class="hidden">Find by name</span>
          <input
            type="search"
            placeholder="Find by name"
            value={name}
            onInput={({ currentTarget }) => {
              setName(currentTarget.value);
              search();
            }}
          />
        </label>
      }
    >
      <Show of={page}>
        {({ rows, next }) => (
          <>
            <Table
              label="Businesses"
              rows={rows}
              keyOf={({ id }) => id}
              empty={wanted ? `No business name contains “${wanted}”.` : "No businesses yet."}
              columns={[
                {
                  title: "Name",
                  cell: ({ id, name: called }) => (
                    <a href={`#/businesses/${id}`} dir="auto">
                      {called}
                    </a>
                  ),
                },
                { title: "WhatsApp", cell: ({ session }) => <State of={session?.status ?? "unknown"} /> },
                { title: "Phone", cell: ({ session }) => session?.phone ?? "–" },
                { title: "Shard", number: true, cell: ({ whatsapp_shard }) => whatsapp_shard ?? "–" },
                { title: "Created", cell: ({ created_at }) => <When at={created_at} /> },
              ]}
            />
            <div class="row">
              {cursors.length > 0 && <button onClick={() => setCursors(cursors.slice(0, -1))}>Newer</button>}
              {next !== null && <button onClick={() => setCursors([...cursors, next])}>Older</button>}
            </div>
          </>
        )}
      </Show>
    </Page>
  );
}
