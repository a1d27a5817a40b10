import type { Schemas } from "./api.ts";

type Attachment = Schemas["Attachment"];
type Content = Schemas["MessageContent"];

/** The path of a signed URL. The content security policy allows files of the page's own origin only. */
export function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return `${pathname}${search}`;
}

export function attachmentOf(content: Content): Attachment | undefined {
  return "media" in content ? content.media : undefined;
}

/** A picture, a player or a link to the file of a message. */
export function Media({ content }: { content: Content }) {
  const file = attachmentOf(content);
  if (file === undefined) return null;
  if (file.status === "pending") return <p class="quiet">{content.type}: downloading from WhatsApp</p>;
  if (file.status === "failed" || file.url === undefined)
    return <p class="fault">{content.type}: the file is not available</p>;
  const url = pathOf(file.url);
  const name = "file_name" in content && content.file_name ? content.file_name : content.type;
  if (content.type === "image" || content.type === "sticker") return <Picture file={file} url={url} name={name} />;
  if (content.type === "audio" && file.mime.startsWith("audio/"))
    return <audio controls preload="none" src={url} aria-label={name} />;
  if (content.type === "video" && file.mime.startsWith("video/"))
    return <video controls preload="none" src={url} aria-label={name} />;
  return (
    <a class="file" href={url} download={name} dir="auto">
      {name} {file.size !== undefined && <span class="quiet">({sizeOf(file.size)})</span>}
    </a>
  );
}

function Picture({ file, url, name }: { file: Attachment; url: string; name: string }) {
  const source = file.thumbnail_url === undefined ? url : pathOf(file.thumbnail_url);
  return (
    <a href={url} target="_blank" rel="noreferrer">
      <img class={name === "sticker" ? "sticker" : "picture"} loading="lazy" src={source} alt={name} />
    </a>
  );
}

function sizeOf(bytes: number): string {
  const [value, unit] = bytes < 1_000_000 ? [bytes / 1_000, "KB"] : [bytes / 1_000_000, "MB"];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}
