import { api, bodyOf } from "./api.ts";
import { BusinessCalls } from "./calls.tsx";
import { useLoaded, useDebounced } from "./hooks.ts";
import { useLive } from "./live.ts";
import { Login } from "./login.tsx";
import { Chats } from "./messages.tsx";
import { Page, Show } from "./parts.tsx";
import { Settings } from "./settings.tsx";
import { useState } from "preact/hooks";

const concernsSession: ReadonlySet<string> = new Set([
  "whatsapp.pairing",
  "session.status",
  "session.passkey",
  "reset",
]);

const sections = { chats: "Chats", calls: "Calls", settings: "Settings" } as const;

/** One business: its WhatsApp session, and one of its sections. */
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
      {(loaded) => (
        <Page title={loaded.name} aside={<span class="quiet">{loaded.time_zone}</span>}>
          <p class="quiet">
            <a href="#/businesses">Businesses</a> / <code>{id}</code>
          </p>
          <Show of={session}>{(live) => <Login businessId={id} session={live} reload={session.reload} />}</Show>
          <nav class="tabs" aria-label={`Sections of ${loaded.name}`}>
            {Object.entries(sections).map(([each, title]) => (
              <a key={each} href={`#/businesses/${id}/${each}`} aria-current={each === tab ? "page" : undefined}>
                {title}
              </a>
            ))}
          </nav>
          {tab === "calls" && <BusinessCalls id={id} happened={happened} />}
          {tab === "settings" && <Settings business={loaded} reload={business.reload} />}
          {tab === "chats" && <Chats id={id} chat={chat} happened={happened} />}
        </Page>
      )}
    </Show>
  );
}
