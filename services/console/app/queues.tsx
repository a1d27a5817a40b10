import { useState } from "preact/hooks";
import { api, bodyOf } from "./api.ts";
import { useAction, useLoaded } from "./hooks.ts";
import { Confirmed, Fault, Page, Show, Table, When } from "./parts.tsx";

const everyMs = 2_000;

function ageOf(ms: number | null): string {
  if (ms === null) return "–";
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

export function QueuesPage() {
  const queues = useLoaded("queues", () => bodyOf(api.GET("/v1/admin/queues")), everyMs);
  return (
    <Page title="Queues">
      <Show of={queues}>
        {({ data }) => (
          <Table
            label="Queues"
            rows={data}
            keyOf={({ queue }) => queue}
            empty="No queues."
            columns={[
              { title: "Queue", cell: ({ queue }) => <a href={`#/queues/${queue}`}>{queue}</a> },
              { title: "Worker", cell: ({ group }) => group },
              { title: "Waiting", number: true, cell: ({ waiting }) => waiting },
              { title: "Active", number: true, cell: ({ active }) => active },
              { title: "Delayed", number: true, cell: ({ delayed }) => delayed },
              { title: "Oldest", number: true, cell: ({ oldest_ms }) => ageOf(oldest_ms) },
              {
                title: "Dead",
                number: true,
                cell: ({ queue, dead }) =>
                  dead === 0 ? (
                    0
                  ) : (
                    <a class="bad" href={`#/queues/${queue}`}>
                      {dead}
                    </a>
                  ),
              },
            ]}
          />
        )}
      </Show>
    </Page>
  );
}

/** The dead letters of a queue, with actions to replay or discard them. */
export function DeadLettersPage({ queue }: { queue: string }) {
  const [cursors, setCursors] = useState<string[]>([]);
  const letters = useLoaded(`${queue} ${cursors.join()}`, () =>
    bodyOf(
      api.GET("/v1/admin/queues/{name}/dead", {
        params: { path: { name: queue }, query: { limit: 50, cursor: cursors.at(-1) } },
      }),
    ),
  );
  const { busy, fault, run } = useAction();
  const act = (work: () => Promise<unknown>) => run(() => work().finally(letters.reload));
  const one = (job_id: string) => ({ params: { path: { name: queue, job_id } } });
  return (
    <Page
      title={`Dead letters of ${queue}`}
      aside={
        <button
          disabled={busy || !letters.value?.data.length}
          onClick={() =>
            act(() => api.POST("/v1/admin/queues/{name}/dead/replay", { params: { path: { name: queue } } }))
          }
        >
          Replay all
        </button>
      }
    >
      <p class="quiet">
        <a href="#/queues">Queues</a> / {queue}
      </p>
      <Fault of={fault} />
      <Show of={letters}>
        {({ data, next_cursor }) => (
          <>
            <Table
              label={`Dead letters of ${queue}`}
              rows={data}
              keyOf={({ job_id }) => job_id}
              empty="No job has exhausted its attempts."
              columns={[
                { title: "Job", cell: ({ job }) => job },
                {
                  title: "Payload",
                  cell: ({ payload }) => <code>{payload === null ? "unknown format" : JSON.stringify(payload)}</code>,
                },
                { title: "Reason", cell: ({ reason }) => reason },
                { title: "Attempts", number: true, cell: ({ attempts }) => attempts },
                { title: "Died", cell: ({ died_at }) => <When at={died_at} /> },
                {
                  title: "",
                  cell: ({ job_id }) => (
                    <div class="row">
                      <button
                        disabled={busy}
                        onClick={() => act(() => api.POST("/v1/admin/queues/{name}/dead/{job_id}/replay", one(job_id)))}
                      >
                        Replay
                      </button>
                      <Confirmed
                        disabled={busy}
                        question="Discard this job permanently?"
                        onConfirm={() => act(() => api.DELETE("/v1/admin/queues/{name}/dead/{job_id}", one(job_id)))}
                      >
                        Discard
                      </Confirmed>
                    </div>
                  ),
                },
              ]}
            />
            <div class="row">
              {cursors.length > 0 && <button onClick={() => setCursors(cursors.slice(0, -1))}>Later</button>}
              {next_cursor !== null && <button onClick={() => setCursors([...cursors, next_cursor])}>Earlier</button>}
            </div>
          </>
        )}
      </Show>
    </Page>
  );
}
