export { keepMedia } from "./keep.ts";
export type { KeepOptions } from "./keep.ts";
export { createMediaSigner } from "./links.ts";
export type { MediaSigner, SignedLink, Variant } from "./links.ts";
