import type { MediaSigner } from "../../../lib/media-store/index.ts";
import type { MediaQuota } from "../../../lib/quotas/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import type { Decoder } from "./decoder/decoder.ts";

/** What the jobs with files work with. */
export type MediaDeps = {
  store: SealedStore;
  /** WhatsApp's media host, for what messages bring. */
  host: string;
  signer: MediaSigner;
  decoder: Decoder;
  /** Room for received files. */
  quota: MediaQuota;
};

/** How long addresses in events are good: as long as an event may be delivered. */
export const eventLinksS = 24 * 3_600;
