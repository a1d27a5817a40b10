import { useCallback, useRef, useState } from "preact/hooks";
import { signOut } from "./api.ts";
import { BusinessPage } from "./business.tsx";
import { BusinessesPage } from "./businesses.tsx";
import { CallsPage } from "./calls.tsx";
import { useAction, useDebounced, useRoute } from "./hooks.ts";
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
  const [theme, setTheme] = useState(chosenTheme);
  const { busy, run } = useAction();
  const [happened, note] = useSectionEvents();
  const connected = useLive("/v1/admin/events", ({ name }) => note(name));

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

/** Number of events that concern each section. */
type SectionEvents = { businesses: number; shards: number; calls: number };

/** Sections that an event concerns. Messages concern none, because the page of a business has its own stream. */
function sectionsOf(event: string): (keyof SectionEvents)[] {
  if (event === "reset") return ["businesses", "shards", "calls"];
  if (event === "shards.changed") return ["shards"];
  if (event.startsWith("call.")) return ["calls"];
  return event === "session.status" ? ["businesses"] : [];
}

/** The counts, and a function that records an event. Debounced, so that a section renders at most once a second. */
function useSectionEvents(): [SectionEvents, (event: string) => void] {
  const noted = useRef<SectionEvents>({ businesses: 0, shards: 0, calls: 0 });
  const [happened, setHappened] = useState(noted.current);
  const show = useDebounced(() => setHappened({ ...noted.current }));
  const note = useCallback(
    (event: string) => {
      const sections = sectionsOf(event);
      for (const section of sections) noted.current[section] += 1;
      if (sections.length > 0) show();
    },
    [show],
  );
  return [happened, note];
}

type SectionProps = { section: string; rest: string[]; happened: SectionEvents };

function Section({ section, rest: [first, ...more], happened }: SectionProps) {
  if (section === "businesses")
    return first ? (
      <BusinessPage key={first} id={first} rest={more} />
    ) : (
      <BusinessesPage happened={happened.businesses} />
    );
  if (section === "queues") return first ? <DeadLettersPage key={first} queue={first} /> : <QueuesPage />;
  if (section === "shards") return <ShardsPage happened={happened.shards} />;
  if (section === "calls") return <CallsPage happened={happened.calls} />;
  return <p class="quiet">Page not found.</p>;
}
