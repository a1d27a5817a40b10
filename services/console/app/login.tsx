import { api } from "./api.ts";
import type { Schemas } from "./api.ts";
import { useAction } from "./hooks.ts";
import { Confirmed, Fault, State, When } from "./parts.tsx";
import { Passkey } from "./passkey.tsx";

type Props = { businessId: string; session: Schemas["WhatsappSession"]; reload: () => void };

/** The WhatsApp session of a business: its state, QR code and actions. */
export function Login({ businessId, session, reload }: Props) {
  const { busy, fault, run } = useAction();
  const path = { business_id: businessId };
  const connect = () =>
    run(async () => {
      await api.POST("/v1/businesses/{business_id}/whatsapp/connect", { params: { path }, body: { method: "qr" } });
      reload();
    });
  const logOut = () =>
    run(async () => {
      await api.DELETE("/v1/businesses/{business_id}/whatsapp", { params: { path } });
      reload();
    });
  const { status, phone, shard, since, reason, paired, live, qr, code, passkey } = session;
  return (
    <section class="card" aria-label="WhatsApp">
      <div class="row">
        <State of={status} />
        <span>{phone ?? (paired ? "paired" : "not paired")}</span>
        <span class="quiet">
          shard {shard ?? "–"}, since <When at={since} />
          {live ? "" : " (last known state)"}
        </span>
        <span class="grow" />
        {status !== "open" && status !== "connecting" && status !== "passkey" && qr === undefined && (
          <button disabled={busy} onClick={connect}>
            {paired ? "Open" : "Pair by QR"}
          </button>
        )}
        {(paired || status === "passkey") && (
          <Confirmed
            disabled={busy}
            question="Log out of WhatsApp? To connect again, scan a new QR code."
            onConfirm={logOut}
          >
            {paired ? "Log out" : "Stop"}
          </Confirmed>
        )}
      </div>
      {reason !== null && <p class="quiet">{reason}</p>}
      <Fault of={fault} />
      {qr !== undefined && (
        <figure>
          <img
            src={`/v1/businesses/${businessId}/whatsapp/qr.svg?${encodeURIComponent(qr.slice(0, 40))}`}
            alt="QR code to scan"
            width="240"
            height="240"
          />
          <figcaption>On the phone: WhatsApp, Linked devices, Link a device. The code refreshes by itself.</figcaption>
        </figure>
      )}
      {passkey !== undefined && <Passkey businessId={businessId} passkey={passkey} reload={reload} logOut={logOut} />}
      {code !== undefined && (
        <p>
          Type this code into the phone: <code class="pairing">{code}</code>
        </p>
      )}
    </section>
  );
}
