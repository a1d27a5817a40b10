import { useState } from "preact/hooks";
import { api } from "./api.ts";
import type { Schemas } from "./api.ts";
import { useAction } from "./hooks.ts";
import { Fault } from "./parts.tsx";

type Props = { business: Schemas["Business"]; reload: () => void };

/** The settings of a business's WhatsApp account. */
export function Settings({ business, reload }: Props) {
  const { busy, fault, run } = useAction();
  const [deviceName, setDeviceName] = useState(business.device_name ?? "");
  const change = (body: Schemas["BusinessChanges"]) =>
    run(async () => {
      const params = { path: { business_id: business.id } };
      await api.PATCH("/v1/businesses/{business_id}", { params, body });
      reload();
    });
  return (
    <section class="card" aria-label="Settings">
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          change({ device_name: deviceName.trim() || null });
        }}
      >
        <label>
          Device name{" "}
          <input
            id="device-name"
            maxLength={50}
            placeholder="The platform’s"
            value={deviceName}
            onInput={({ currentTarget }) => setDeviceName(currentTarget.value)}
          />
        </label>
        <button disabled={busy || deviceName.trim() === (business.device_name ?? "")}>Save</button>
      </form>
      <p class="quiet">The phone lists the linked device under this name, from the next link by QR code on.</p>
      <label class="row">
        <input
          id="receive-statuses"
          type="checkbox"
          checked={business.receive_statuses}
          disabled={busy}
          onChange={({ currentTarget }) => change({ receive_statuses: currentTarget.checked })}
        />
        Publish contacts’ statuses as events
      </label>
      <Fault of={fault} />
    </section>
  );
}
