import { sharedNow } from "../core/time.ts";
import type { KeyRing } from "../core/key_ring.ts";
import type { MediaLinks } from "../messages/index.ts";

/** What of a media an address is for. */
export type Variant = "content" | "thumbnail" | "recording";

/** What is signed: no part of it can be exchanged. */
export type SignedLink = {
  businessId: string;
  /** Of a media, or a recording's sid. */ id: string;
  variant: Variant;
  /** Unix seconds. */ expires: number;
};

export type MediaSigner = {
  /** Makes addresses of a business's media that are good for `forS` seconds. */
  links(businessId: string, forS: number): MediaLinks;
  /** The same for the recording of a call. */
  recording(businessId: string, recordingSid: string, forS: number): { url: string; url_expires_at: string };
  /** Whether an address is one of ours and its time is not over. */
  verify(link: SignedLink, signature: string): boolean;
};

/** Of what a small picture is made, where it can be read. */
const pictured = /^image\/(jpeg|png|webp|gif|tiff|avif)$/;

/** `publicUrl`: where callers reach the API. */
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
        ...(pictured.test(mime) ? { thumbnail_url: urlOf({ businessId, id, variant: "thumbnail", expires }) } : {}),
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
