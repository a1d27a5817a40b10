import { sharedNow } from "../core/time.ts";
import type { KeyRing } from "../core/key_ring.ts";
import type { MediaLinks } from "../messages/index.ts";

/** Representation of a media, or the recording of a call. */
export type Variant = "content" | "thumbnail" | "recording";

/** The signed parts of a URL. */
export type SignedLink = {
  businessId: string;
  /** Id of a media, or sid of a recording. */
  id: string;
  variant: Variant;
  /** Unix seconds. */
  expires: number;
};

export type MediaSigner = {
  /** Signs URLs of a business's media that are valid for `forS` seconds. */
  links(businessId: string, forS: number): MediaLinks;
  /** Signs the URL of a call's recording. */
  recording(businessId: string, recordingSid: string, forS: number): { url: string; url_expires_at: string };
  /** True if the signature is ours and the URL has not expired. */
  verify(link: SignedLink, signature: string): boolean;
};

/** Media types that have a thumbnail. */
const withThumbnail = /^image\/(jpeg|png|webp|gif|tiff|avif)$/;

/** `publicUrl` is the origin at which clients reach the API. */
export function createMediaSigner(keys: KeyRing, publicUrl: string): MediaSigner {
  const signer = keys.signer("media");
  const textOf = ({ businessId, id, variant, expires }: SignedLink) => [businessId, id, variant, expires].join("\n");
  const urlOf = (link: SignedLink) => {
    const url = new URL(`/v1/files/${link.businessId}/${link.id}/${link.variant}`, publicUrl);
    url.search = new URLSearchParams({
      expires: String(link.expires),
      signature: signer.sign(textOf(link)),
    }).toString();
    return url.href;
  };
  const until = (forS: number) => {
    const expires = Math.floor(sharedNow() / 1_000) + forS;
    return { expires, url_expires_at: new Date(expires * 1_000).toISOString() };
  };
  return {
    links: (businessId, forS) => {
      const { expires, url_expires_at } = until(forS);
      return (id, mime) => ({
        url: urlOf({ businessId, id, variant: "content", expires }),
        ...(withThumbnail.test(mime)
          ? { thumbnail_url: urlOf({ businessId, id, variant: "thumbnail", expires }) }
          : {}),
        url_expires_at,
      });
    },
    recording: (businessId, id, forS) => {
      const { expires, url_expires_at } = until(forS);
      return { url: urlOf({ businessId, id, variant: "recording", expires }), url_expires_at };
    },
    verify: (link, signature) => signer.verify(textOf(link), signature) && link.expires * 1_000 > sharedNow(),
  };
}
