import type { ProxyPool } from "../../../lib/egress/index.ts";
import type { MediaSigner } from "../../../lib/media-store/index.ts";
import type { MediaQuota } from "../../../lib/quotas/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import type { Decoder } from "./decoder/decoder.ts";

/** Dependencies of the media jobs. */
export type MediaDeps = {
  store: SealedStore;
  /** WhatsApp's media host, for received files. */
  host: string;
  /** The egress proxies; undefined: none. */
  egress?: Pick<ProxyPool, "urlOf"> | undefined;
  signer: MediaSigner;
  decoder: Decoder;
  /** Quota for received files. */
  quota: MediaQuota;
};

/** Validity of file URLs in events: as long as an event may be delivered. */
export const eventLinksS = 24 * 3_600;
