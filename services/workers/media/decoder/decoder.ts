import { extname, join } from "node:path";
import type { Decoded } from "./decode.ts";
import { FairSlots } from "../../../../lib/runtime/fair_slots.ts";
import { decoderLimits, maxAnswerBytes } from "./limits.ts";
import type { DecoderLimits } from "./limits.ts";

export type Decoder = {
  /**
   * Runs `work` with the process's only decoder slot; businesses that wait take turns. Undefined if `maxWaitMs` pass
   * before the slot is free.
   */
  withSlot<T>(businessId: string, maxWaitMs: number, work: (decode: Decode) => Promise<T>): Promise<T | undefined>;
};

/**
 * Decodes content in a child process with limits on memory and time. Null if the child cannot decode it or exceeds a
 * limit. Throws what `bytes` throws, and the reason of `signal`.
 */
export type Decode = (bytes: AsyncIterable<Uint8Array>, mime: string, signal?: AbortSignal) => Promise<Decoded | null>;

/** A bundle in a release, a source file in a checkout. */
const program = join(import.meta.dir, `child${extname(import.meta.path)}`);

/** The decoder of a worker process: one child at a time, whatever the number of jobs. */
export function createDecoder(limits: DecoderLimits = decoderLimits): Decoder {
  const slot = new FairSlots({ total: 1, share: 1 });
  return {
    withSlot: async (businessId, maxWaitMs, work) => {
      if (!(await slot.acquire(businessId, maxWaitMs))) return undefined;
      try {
        return await work((bytes, mime, signal) => decodeInChild(limits, bytes, mime, signal));
      } finally {
        slot.giveBack(businessId);
      }
    },
  };
}

async function decodeInChild(
  limits: DecoderLimits,
  bytes: AsyncIterable<Uint8Array>,
  mime: string,
  signal?: AbortSignal,
): Promise<Decoded | null> {
  const child = Bun.spawn(
    [
      "prlimit",
      `--data=${limits.dataBytes}`,
      `--cpu=${limits.cpuSeconds}`,
      "--core=0",
      process.execPath,
      "run",
      program,
      mime,
    ],
    {
      // The worker's environment holds its secrets.
      env: childEnvironment(),
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
      timeout: limits.timeoutMs,
      killSignal: "SIGKILL",
      ...(signal ? { signal } : {}),
    },
  );
  try {
    // A child that exits early, or is killed at its deadline, ends the wait for more of the content.
    const [, answer] = await Promise.all([
      Promise.race([feed(child.stdin, bytes), child.exited]),
      readBounded(child.stdout),
    ]);
    if ((await child.exited) !== 0 || answer === null) return null;
    return JSON.parse(answer) as Decoded;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    signal?.throwIfAborted();
  }
}

function childEnvironment(): Record<string, string> {
  const kept = ["PATH", "TMPDIR", "BUN_RUNTIME_TRANSPILER_CACHE_PATH"];
  return Object.fromEntries(
    kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** Writes `bytes` as fast as the child reads. A child that has exited takes no more, which is no error. */
async function feed(stdin: Bun.FileSink, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  let isOpen = true;
  const close = () => void (isOpen = false);
  for await (const chunk of bytes) {
    if (!isOpen) break;
    await Promise.resolve(stdin.write(chunk)).catch(close);
    await Promise.resolve(stdin.flush()).catch(close);
  }
  await Promise.resolve(stdin.end()).catch(close);
}

/** Standard output as text; null if it exceeds `maxAnswerBytes`. */
async function readBounded(stdout: ReadableStream<Uint8Array>): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stdout) {
    size += chunk.length;
    if (size > maxAnswerBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
