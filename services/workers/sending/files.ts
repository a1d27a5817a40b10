import { sharedDate } from "../../../lib/core/time.ts";
import { releaseUploads, wantUploads } from "../../../lib/db/index.ts";
import type { BusinessScope, PendingMessage, UploadState, WantedUpload } from "../../../lib/db/index.ts";
import { contentOf } from "../../../lib/messages/index.ts";
import type { MediaContent } from "../../../lib/messages/index.ts";
import type { Deps } from "../deps.ts";
import { failed } from "./outcome.ts";
import type { HandedOver } from "./outcome.ts";

/** Fallback poll interval; a finished upload makes its messages due at once. */
const retryMs = 30_000;

export type WithFiles = {
  /** Messages to hand over: each of their files is on WhatsApp's host and carries its pointer. */
  ready: PendingMessage[];
  /** Outcomes to record for the others. A message behind a waiting one of its chat is in neither list. */
  outcomes: HandedOver[];
  /** Missing uploads. Request them after recording the outcomes: a finished upload makes the messages due. */
  awaited: WantedUpload[];
};

/** Adds the pointers of uploaded files to messages; messages whose files are not uploaded yet wait. */
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
      result.outcomes.push(failed(message, "media_refused", state?.error ?? "The file no longer exists.", now));
    } else if (state.status === "ready") {
      result.ready.push({ ...message, content: withPointer(content, state) });
    } else {
      waiting.add(message.chat);
      result.outcomes.push({
        id: message.id,
        status: "paced",
        next_attempt_at: new Date(now.getTime() + retryMs),
        wait_reason: "upload",
      });
    }
  }
  return result;
}

/** Requests uploads to WhatsApp's host. Best effort: the sweep retries what fails here. */
export async function requestUploads(
  { producer }: Pick<Deps, "producer">,
  scope: BusinessScope,
  awaited: readonly WantedUpload[],
): Promise<void> {
  if (awaited.length === 0) return;
  await releaseUploads(scope, awaited)
    .then(() => producer.wake("prepare_media", { business_id: scope.businessId }, { expedite: true }))
    .catch(() => {});
}

function fileIn(message: PendingMessage): [string, MediaContent][] {
  const content = contentOf(message);
  return "media" in content ? [[message.id, content]] : [];
}

/** The content with the pointer and the properties of its uploaded file. */
function withPointer(content: MediaContent, { pointer, media }: UploadState): MediaContent {
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
