import { useEffect, useRef, useState } from "preact/hooks";
import { api, bodyOf } from "./api.ts";
import type { Schemas } from "./api.ts";
import { useAction, useLoaded } from "./hooks.ts";
import { Confirmation, Fault, Page, Show, State, Table, When } from "./parts.tsx";

const everyMs = 2_000;

/** The call load of all businesses, and its limit. */
export function CallsPage({ happened }: { happened: number }) {
  const load = useLoaded("calls", () => bodyOf(api.GET("/v1/admin/calls")), everyMs);
  useEffect(() => {
    if (happened > 0) load.reload();
  }, [happened]);
  const [limit, setLimit] = useState("");
  const { busy, fault, run } = useAction();
  const confirmation = useRef<HTMLDialogElement>(null);
  const apply = () =>
    run(async () => {
      await api.PUT("/v1/admin/calls/limit", { body: { max_concurrent: Number(limit) } });
      setLimit("");
      load.reload();
    });
  return (
    <Page title="Calls">
      <Show of={load}>
        {({ active, max_concurrent }) => (
          <section class="card" aria-label="Calls in progress">
            <p class="big">
              {active} <span class="quiet">of {max_concurrent} in progress</span>
            </p>
            <meter min={0} max={Math.max(1, max_concurrent)} value={active} aria-label="Calls in progress" />
            <form
              class="row"
              onSubmit={(event) => {
                event.preventDefault();
                // A limit below the calls in progress rejects every new call, so it needs a confirmation.
                if (Number(limit) === 0 || Number(limit) < active) confirmation.current?.showModal();
                else apply();
              }}
            >
              <label for="limit">Allow</label>
              <input
                id="limit"
                type="number"
                min="0"
                max="100000"
                required
                placeholder={String(max_concurrent)}
                value={limit}
                onInput={({ currentTarget }) => setLimit(currentTarget.value)}
              />
              <button disabled={busy}>Set the limit</button>
              <span class="quiet">Applies from the next call on. Calls in progress continue.</span>
            </form>
            <Confirmation
              dialog={confirmation}
              question={
                Number(limit) === 0
                  ? "Refuse every new call of every business?"
                  : `${active} calls are in progress. Refuse new ones until fewer than ${limit} are?`
              }
              action="Set the limit"
              onConfirm={apply}
            />
            <Fault of={fault} />
          </section>
        )}
      </Show>
      <p class="quiet">Open a business to see its calls.</p>
    </Page>
  );
}

async function readCalls(business_id: string): Promise<Schemas["Call"][]> {
  const path = { business_id };
  const [live, ended] = await Promise.all([
    bodyOf(api.GET("/v1/businesses/{business_id}/calls/active", { params: { path } })),
    bodyOf(api.GET("/v1/businesses/{business_id}/calls", { params: { path, query: { limit: 50 } } })),
  ]);
  return [...live.data, ...ended.data];
}

/** The calls of a business: calls in progress first, then the newest ended ones. */
export function BusinessCalls({ id, happened }: { id: string; happened: number }) {
  const calls = useLoaded(id, () => readCalls(id));
  useEffect(() => {
    if (happened > 0) calls.reload();
  }, [happened]);
  return (
    <Show of={calls}>
      {(rows) => (
        <Table
          label="Calls"
          rows={rows}
          keyOf={({ call_sid }) => call_sid}
          empty="No calls yet."
          columns={[
            { title: "Started", cell: ({ started_at }) => <When at={started_at} /> },
            { title: "State", cell: ({ status }) => <State of={status} /> },
            { title: "Direction", cell: ({ direction }) => direction },
            { title: "From", cell: ({ from }) => from },
            { title: "To", cell: ({ to }) => to },
            { title: "Seconds", number: true, cell: ({ duration_s }) => duration_s ?? "–" },
            { title: "Call", cell: ({ call_sid }) => <code>{call_sid}</code> },
          ]}
        />
      )}
    </Show>
  );
}
