import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import { deadline, sharedNow } from "../../../lib/core/time.ts";
import { finishRecording, forBusiness, forPlatform, pendingRecordings } from "../../../lib/db/index.ts";
import type { CallRecording, RecordingResult } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import type { Deps } from "../deps.ts";

/** Source and destination of recordings. */
export type RecordingDeps = {
  store: SealedStore;
  /** The carrier's REST API, the only host that receives the credentials. */
  apiUrl: string;
  accountSid: string;
  authToken: string;
};

/** Concurrent downloads: a hanging one delays three others at most. */
const pageSize = 4;
/** The carrier may announce a recording before it exists, and may be unavailable for hours. */
const maxAttempts = 20;
const delay = { baseMs: 5_000, maxMs: 1_800_000 };
const timeoutMs = 120_000;
/** Ten hours of stereo. */
const maxBytes = 600 * 1024 * 1024;

/** Downloads pending recordings from the carrier into the store; retries failures later. */
export function fetchRecordings({
  db,
  logger,
  recordings,
}: Pick<Deps, "db" | "logger"> & { recordings: RecordingDeps | null }): Handler<"fetch_recordings"> {
  const platform = forPlatform(db);
  return async ({ signal }) => {
    const counts = { stored: 0, failed: 0, postponed: 0 };
    for (;;) {
      signal.throwIfAborted();
      const page = await pendingRecordings(platform, pageSize);
      if (page.length === 0) return { counts };
      if (recordings === null) {
        logger.warn(
          { recordings: page.length },
          "recordings are pending: set STORAGE_URL, TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN to fetch them",
        );
        return { counts };
      }
      await Promise.all(
        page.map(async (recording) => {
          const { business_id, recording_sid, call_sid } = recording;
          const result = await fetchOne(recordings, recording, signal);
          await finishRecording(forBusiness(db, business_id), recording_sid, result);
          counts[result.status === "pending" ? "postponed" : result.status] += 1;
          if (result.status !== "stored")
            logger.warn({ recording_sid, call_sid, reason: result.error }, "recording not fetched");
        }),
      );
    }
  };
}

async function fetchOne(
  recordings: RecordingDeps,
  recording: CallRecording,
  signal: AbortSignal,
): Promise<RecordingResult> {
  const { recording_sid, business_id, call_sid, attempts } = recording;
  const key = `recordings/${business_id}/${call_sid}/${recording_sid}.wav`;
  try {
    await recordings.store.put(key, await download(recordings, recording, signal));
    return { status: "stored", storage_key: key };
  } catch (error) {
    const final = error instanceof AppError && error.code === "forbidden";
    if (final || attempts + 1 >= maxAttempts) return { status: "failed", error: messageOf(error) };
    const inMs = backoff({ attempt: attempts + 1, ...delay });
    return { status: "pending", error: messageOf(error), next_attempt_at: new Date(sharedNow() + inMs) };
  }
}

async function download({ apiUrl, accountSid, authToken }: RecordingDeps, { url }: CallRecording, signal: AbortSignal) {
  if (url === null || new URL(url).origin !== new URL(apiUrl).origin) {
    throw new AppError(
      "forbidden",
      `The recording is not at the carrier: ${url === null ? "nowhere" : new URL(url).origin}`,
    );
  }
  const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`;
  const response = await fetch(`${url}.wav`, {
    headers: { authorization },
    redirect: "error",
    signal: deadline(timeoutMs, signal),
  });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new AppError("unavailable", `The carrier answered ${response.status}`);
  }
  return bounded(response.body);
}

async function* bounded(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new AppError("forbidden", `The recording is larger than ${maxBytes} bytes`);
    yield chunk;
  }
}
