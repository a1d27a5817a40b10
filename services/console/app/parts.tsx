import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Loaded } from "./hooks.ts";

export function Page({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${title} · ProSaaS console`;
  }, [title]);
  return (
    <>
      <header class="head">
        <h1 dir="auto">{title}</h1>
        {aside}
      </header>
      {children}
    </>
  );
}

/** Shows a loaded value, or that it is loading, or why loading failed. */
export function Show<T>({
  of: { value, error, reload },
  children,
}: {
  of: Loaded<T>;
  children: (value: T) => ComponentChildren;
}) {
  return (
    <>
      {error !== undefined && (
        <p class="fault" role="alert">
          {error} <button onClick={reload}>Try again</button>
        </p>
      )}
      {value === undefined ? error === undefined && <p class="quiet">Loading…</p> : children(value)}
    </>
  );
}

export type Column<Row> = { title: string; number?: boolean; cell: (row: Row) => ComponentChildren };

export function Table<Row>({
  label,
  rows,
  columns,
  keyOf,
  empty,
}: {
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  keyOf: (row: Row) => string;
  empty: string;
}) {
  if (rows.length === 0) return <p class="quiet">{empty}</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {columns.map(({ title, number }) => (
              <th scope="col" class={number ? "number" : undefined} key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ title, number, cell }) => (
                <td class={number ? "number" : undefined} key={title}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

type Tone = "good" | "waiting" | "bad" | "idle";
const tones: Record<string, Tone> = {
  open: "good",
  healthy: "good",
  completed: "good",
  connecting: "waiting",
  qr: "waiting",
  code: "waiting",
  passkey: "waiting",
  in_progress: "waiting",
  ringing: "waiting",
  queued: "waiting",
  initiated: "waiting",
  conflict: "bad",
  auth_error: "bad",
  banned: "bad",
  logged_out: "bad",
  unreachable: "bad",
  failed: "bad",
  lost: "bad",
};

/** A state in words. The colour adds no information. */
export function State({ of }: { of: string }) {
  return <span class={`state ${tones[of] ?? "idle"}`}>{of.replaceAll("_", " ")}</span>;
}

const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

/** A time in the reader's time zone. Omits today's date. */
export function When({ at }: { at: string | null }) {
  if (at === null) return <>–</>;
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return (
    <time dateTime={at} title={date.toLocaleString()}>
      {(today ? clock : short).format(date)}
    </time>
  );
}

/** A button that asks for confirmation before an irreversible action. */
export function Confirmed({
  children,
  question,
  disabled,
  onConfirm,
}: {
  children: ComponentChildren;
  question: string;
  disabled?: boolean;
  onConfirm: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <button class="danger" disabled={disabled} onClick={() => dialog.current?.showModal()}>
        {children}
      </button>
      <Confirmation dialog={dialog} question={question} action={children} onConfirm={onConfirm} />
    </>
  );
}

/** A confirmation dialog, opened with `dialog.current.showModal()`. */
export function Confirmation({
  dialog,
  question,
  action,
  onConfirm,
}: {
  dialog: RefObject<HTMLDialogElement | null>;
  question: string;
  action: ComponentChildren;
  onConfirm: () => void;
}) {
  return (
    <dialog ref={dialog} aria-label={question}>
      <p>{question}</p>
      <div class="row">
        <button onClick={() => dialog.current?.close()}>Cancel</button>
        <button
          class="danger"
          onClick={() => {
            dialog.current?.close();
            onConfirm();
          }}
        >
          {action}
        </button>
      </div>
    </dialog>
  );
}

export function Fault({ of }: { of: string | undefined }) {
  return of === undefined ? null : (
    <p class="fault" role="alert">
      {of}
    </p>
  );
}
