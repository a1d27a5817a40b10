// A decoder process: content on standard input, the MIME type as argument, a `Decoded` as JSON on standard output.
// Exits 1 on content that it cannot decode. Started by decoder.ts, which sets its limits; it holds no secret.
import { writeFileSync } from "node:fs";
import { decode } from "./decode.ts";
import { maxEncodedBytes } from "./limits.ts";

// If the allocation exceeds its memory all the same, the kernel kills this process and not the worker.
try {
  writeFileSync("/proc/self/oom_score_adj", "1000");
} catch {
  // Not permitted here: the limits of decoder.ts still hold.
}

const chunks: Uint8Array[] = [];
let size = 0;
for await (const chunk of Bun.stdin.stream()) {
  size += chunk.length;
  if (size > maxEncodedBytes) process.exit(1);
  chunks.push(chunk);
}
const decoded = await decode(Buffer.concat(chunks), process.argv[2] ?? "").catch(() => undefined);
if (decoded === undefined) process.exit(1);
process.stdout.write(JSON.stringify(decoded));
