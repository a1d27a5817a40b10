export { decrypted, encrypted, encryptedLength, MediaMismatch, mediaKeys } from "./cipher.ts";
export type { Expected, MediaKeys } from "./cipher.ts";
export { canonicalMime, contradicts, detectMime, sampleBytes } from "./detect.ts";
export { download, HostRefusal, reachHost, webOrigin } from "./host.ts";
export { maxBytes, maxMediaBytes, mediaKinds, unfitFor } from "./kinds.ts";
export type { MediaKind } from "./kinds.ts";
export { mediaPointer } from "./pointer.ts";
export type { MediaPointer } from "./pointer.ts";
