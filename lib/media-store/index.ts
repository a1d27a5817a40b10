export { storeMedia } from "./store_media.ts";
export type { StoreMediaOptions } from "./store_media.ts";
export { createMediaSigner } from "./links.ts";
export type { MediaSigner, SignedLink, Variant } from "./links.ts";
