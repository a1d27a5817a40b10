import { api, bodyOf } from "./api.ts";
import { BusinessCalls } from "./calls.tsx";
import { useLoaded, useDebounced } from "./hooks.ts";
import { useLive } from "./live.ts";
import { Login } from "./login.tsx";
import { Chats } from "./messages.tsx";
import { Page, Show } from "./parts.tsx";
import { useState } from "preact/hooks";

const concernsSession: ReadonlySet<string> = new Set([
  "whatsapp.pairing",
  "session.status",
  "session.passkey",
  "reset",
]);

/** One business: its WhatsApp session, and its chats or calls. */
export function BusinessPage({ id, rest: [tab = "chats", chat] }: { id: string; rest: string[] }) {
  const path = { business_id: id };
  const business = useLoaded(id, () => bodyOf(api.GET("/v1/businesses/{business_id}", { params: { path } })));
  const session = useLoaded(id, () => bodyOf(api.GET("/v1/businesses/{business_id}/whatsapp", { params: { path } })));
  const [happened, setHappened] = useState(0);
  const notify = useDebounced(() => setHappened((count) => count + 1));
  useLive(`/v1/businesses/${id}/events`, ({ name }) => {
    if (concernsSession.has(name)) session.reload();
    notify();
  });

  return (
    <Show of={business}>
      {({ name, time_zone }) => (
        <Page title={name} aside={<span class="quiet">{time_zone}</span>}>
          <p class="quiet">
            <a href="#/businesses">Businesses</a> / <code>{id}</code>
          </p>
          <Show of={session}>{(loaded) => <Login businessId={id} session={loaded} reload={session.reload} />}</Show>
          <nav class="tabs" aria-label={`Sections of ${name}`}>
            {(["chats", "calls"] as const).map((each) => (
              <a key={each} href={`#/businesses/${id}/${each}`} aria-current={each === tab ? "page" : undefined}>
                {each === "chats" ? "Chats" : "Calls"}
              </a>
            ))}
          </nav>
          {tab === "calls" ? (
            <BusinessCalls id={id} happened={happened} />
          ) : (
            <Chats id={id} chat={chat} happened={happened} />
          )}
        </Page>
      )}
    </Show>
  );
}
