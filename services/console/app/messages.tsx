import { useEffect, useRef, useState } from "preact/hooks";
import { api, bodyOf } from "./api.ts";
import type { Schemas } from "./api.ts";
import { useLoaded } from "./hooks.ts";
import { attachmentOf, Media } from "./media.tsx";
import { Show, When } from "./parts.tsx";

type Message = Schemas["Message"];

const recent = 200;
const step = 50;

const person = (chat: string) => chat.replace(/@.*/, "");
const textOf = ({ text, type }: Message) => text ?? `(${type.replaceAll("_", " ")})`;

/** The most recent chats, and the messages of the selected one. */
export function Chats({ id, chat, happened }: { id: string; chat: string | undefined; happened: number }) {
  const path = { business_id: id };
  const latest = useLoaded(`${id} ${happened}`, () =>
    bodyOf(api.GET("/v1/businesses/{business_id}/messages", { params: { path, query: { limit: recent } } })),
  );
  // Keeps showing the previous messages while newer ones load.
  const [shown, setShown] = useState<Message[]>();
  useEffect(() => {
    if (latest.value) setShown(latest.value.data);
  }, [latest.value]);
  if (shown === undefined) return <Show of={latest}>{() => null}</Show>;
  if (shown.length === 0) return <p class="quiet">No messages yet.</p>;
  const chats = [...Map.groupBy(shown, (message) => message.chat)];
  return (
    <div class="chats">
      <ul aria-label={`Chats of the last ${recent} messages`}>
        {chats.map(([jid, [last]]) => (
          <li key={jid}>
            <a
              href={`#/businesses/${id}/chats/${encodeURIComponent(jid)}`}
              aria-current={jid === chat ? "true" : undefined}
            >
              <strong dir="auto">{(last!.direction === "inbound" && last!.sender_name) || person(jid)}</strong>
              <When at={last!.queued_at} />
              <span class="quiet" dir="auto">
                {textOf(last!)}
              </span>
            </a>
          </li>
        ))}
      </ul>
      {chat === undefined ? (
        <p class="quiet">Choose a chat.</p>
      ) : (
        <Thread key={chat} id={id} chat={chat} happened={happened} />
      )}
    </div>
  );
}

function Thread({ id, chat, happened }: { id: string; chat: string; happened: number }) {
  const [count, setCount] = useState(step);
  const [shown, setShown] = useState<{ messages: Message[]; more: boolean }>();
  const page = useLoaded(`${chat} ${count} ${happened}`, async () => {
    const query = { chat, limit: Math.min(200, count) };
    const { data, next_cursor } = await bodyOf(
      api.GET("/v1/businesses/{business_id}/messages", { params: { path: { business_id: id }, query } }),
    );
    return { messages: data.toReversed(), more: next_cursor !== null && count < 200 };
  });
  useEffect(() => {
    if (page.value) setShown(page.value);
  }, [page.value]);
  const end = useRef<HTMLLIElement>(null);
  const newest = shown?.messages.at(-1)?.id;
  useEffect(() => end.current?.scrollIntoView({ block: "nearest" }), [newest]);
  if (shown === undefined) return <Show of={page}>{() => null}</Show>;
  return (
    <section class="thread" aria-label={`Messages with ${person(chat)}`}>
      <h2>{person(chat)}</h2>
      {shown.more && <button onClick={() => setCount(count + step)}>Older messages</button>}
      <ol tabIndex={0} aria-live="polite">
        {shown.messages.map((message) => (
          <li key={message.id} class={message.direction}>
            <Media content={message.content} />
            {(message.text !== null || attachmentOf(message.content) === undefined) && (
              <p dir="auto">{textOf(message)}</p>
            )}
            <small>
              <When at={message.queued_at} /> {message.direction === "outbound" && <Tick of={message} />}
            </small>
            {message.error && (
              <p class="fault">
                {message.error.message} ({message.error.code})
              </p>
            )}
          </li>
        ))}
        <li ref={end} aria-hidden="true" />
      </ol>
    </section>
  );
}

const ticks: Record<Message["status"], string> = {
  queued: "◷",
  sent: "✓",
  delivered: "✓✓",
  read: "✓✓",
  played: "✓✓",
  failed: "✕",
};

function Tick({ of: { status } }: { of: Message }) {
  return (
    <span class={`tick ${status}`} role="img" aria-label={status} title={status}>
      {ticks[status]}
    </span>
  );
}
