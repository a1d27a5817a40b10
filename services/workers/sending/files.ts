import { sharedDate } from "../../../lib/core/time.ts";
import { mediaPending, wantUploads } from "../../../lib/db/index.ts";
import type { BusinessScope, PendingMessage, UploadState, WantedUpload } from "../../../lib/db/index.ts";
import { contentOf } from "../../../lib/messages/index.ts";
import type { MediaContent } from "../../../lib/messages/index.ts";
import type { Deps } from "../deps.ts";
import { failed } from "./outcome.ts";
import type { HandedOver } from "./outcome.ts";

/** For a file that was forgotten; the one that is put there makes its messages due at once. */
const lookAgainMs = 30_000;

export type WithFiles = {
  /** What can be handed over: every file is on WhatsApp's host, and is named as it lies there. */
  ready: PendingMessage[];
  /** What is to be recorded of others. Those behind one that waits, in its chat, are in neither list. */
  outcomes: HandedOver[];
  /** What they wait for: to be asked for once the outcomes are recorded, since whoever has done it makes them due. */
  awaited: WantedUpload[];
};

/** Sees to it that the files of messages are on WhatsApp's host before the messages go. */
export async function attachFiles(scope: BusinessScope, messages: PendingMessage[]): Promise<WithFiles> {
  const files = new Map(messages.flatMap((message) => fileIn(message)));
  if (files.size === 0) return { ready: messages, outcomes: [], awaited: [] };
  const wanted = [...files.values()].map(({ media, type }) => ({ media_id: media.id ?? "", kind: type }));
  const states = new Map((await wantUploads(scope, wanted)).map((state) => [`${state.media_id} ${state.kind}`, state]));

  const awaited = [...states.values()].filter(({ status }) => status === "pending");
  const result: WithFiles = { ready: [], outcomes: [], awaited };
  const waiting = new Set<string>();
  const now = sharedDate();
  for (const message of messages) {
    if (waiting.has(message.chat)) continue;
    const content = files.get(message.id);
    const state = content && states.get(`${content.media.id} ${content.type}`);
    if (content === undefined) {
      result.ready.push(message);
    } else if (state === undefined || state.status === "failed") {
      result.outcomes.push(failed(message, "media_refused", state?.error ?? "The file is not there any more.", now));
    } else if (state.status === "ready") {
      result.ready.push({ ...message, content: named(content, state) });
    } else {
      waiting.add(message.chat);
      result.outcomes.push({
        id: message.id,
        status: "paced",
        next_attempt_at: new Date(now.getTime() + lookAgainMs),
        error_code: mediaPending,
      });
    }
  }
  return result;
}

/** Has files put on WhatsApp's host. One whose wake-up fails is woken by the sweep. */
export async function askForUploads(
  { producer }: Pick<Deps, "producer">,
  business_id: string,
  awaited: readonly WantedUpload[],
): Promise<void> {
  await Promise.allSettled(
    awaited.map(({ media_id, kind }) => producer.wake("prepare_media", { business_id, media_id, kind })),
  );
}

function fileIn(message: PendingMessage): [string, MediaContent][] {
  const content = contentOf(message);
  return "media" in content ? [[message.id, content]] : [];
}

/** The content, with where its file lies and what was found in it. */
function named(content: MediaContent, { pointer, media }: UploadState): MediaContent {
  const { mime, size, width, height, seconds, preview } = media!;
  return {
    ...content,
    media: {
      ...content.media,
      mime,
      size,
      pointer: pointer!,
      ...(width === null ? {} : { width }),
      ...(height === null ? {} : { height }),
      ...(seconds === null ? {} : { seconds }),
      ...(preview === null ? {} : { preview }),
    },
  };
}
