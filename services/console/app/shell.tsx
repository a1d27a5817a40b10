import { useState } from "preact/hooks";
import { signOut } from "./api.ts";
import { BusinessPage } from "./business.tsx";
import { BusinessesPage } from "./businesses.tsx";
import { CallsPage } from "./calls.tsx";
import { useAction, useRoute } from "./hooks.ts";
import { useLive } from "./live.ts";
import { DeadLettersPage, QueuesPage } from "./queues.tsx";
import { ShardsPage } from "./shards.tsx";
import { applyTheme, chosenTheme, themes } from "./theme.ts";
import type { Theme } from "./theme.ts";

const sections = [
  ["businesses", "Businesses"],
  ["queues", "Queues"],
  ["shards", "Shards"],
  ["calls", "Calls"],
] as const;

export function Shell({ keyPrefix, onSignOut }: { keyPrefix: string; onSignOut: () => void }) {
  const [section = "businesses", ...rest] = useRoute();
  const [happened, setHappened] = useState(0);
  const [theme, setTheme] = useState(chosenTheme);
  const { busy, run } = useAction();
  const connected = useLive("/v1/admin/events", () => setHappened((count) => count + 1));

  return (
    <>
      <a
        class="skip"
        href="#content"
        onClick={(event) => (event.preventDefault(), document.querySelector<HTMLElement>("#content")?.focus())}
      >
        Skip to the content
      </a>
      <header class="bar">
        <strong>ProSaaS</strong>
        <nav aria-label="Sections">
          {sections.map(([name, title]) => (
            <a key={name} href={`#/${name}`} aria-current={name === section ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <span class={`live ${connected ? "on" : "off"}`} role="status">
          {connected ? "live" : "reconnecting"}
        </span>
        <label class="theme">
          <span class="hidden">Theme</span>
          <select
            value={theme}
            onChange={({ currentTarget }) => {
              const next = currentTarget.value as Theme;
              applyTheme(next);
              setTheme(next);
            }}
          >
            {themes.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <code title="Prefix of the admin key that signed in">{keyPrefix}</code>
        <button disabled={busy} onClick={() => run(() => signOut().then(onSignOut))}>
          Sign out
        </button>
      </header>
      <main id="content" tabIndex={-1}>
        <Section section={section} rest={rest} happened={happened} />
      </main>
    </>
  );
}

/** `happened` counts the events of all businesses and shards: what shows them is read anew with it. */
function Section({ section, rest: [first, ...more], happened }: { section: string; rest: string[]; happened: number }) {
  if (section === "businesses") return first ? <BusinessPage key={first} id={first} rest={more} /> : <BusinessesPage happened={happened} />;
  if (section === "queues") return first ? <DeadLettersPage key={first} queue={first} /> : <QueuesPage />;
  if (section === "shards") return <ShardsPage happened={happened} />;
  if (section === "calls") return <CallsPage happened={happened} />;
  return <p class="quiet">There is no such page.</p>;
}
