const hostForm = /^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/;

/** The longest DNS name (253 characters), a colon and a port. */
const maxHostLength = 253 + 6;

/** True if a Host header is a plain `host[:port]`: a name or an IP address, without user, path, query or blanks. */
function isPlainHost(host: string): boolean {
  if (host.length > maxHostLength) return false;
  const found = hostForm.exec(host);
  return found !== null && Number(found[1] ?? 0) <= 65_535;
}

/**
 * True if a request's URL is the one that its client requested. Bun builds the URL from the Host header and the target.
 * With a malformed host the URL is the bare target, and Hono then takes its second segment for the first, so that
 * "/v1/metrics" becomes "/metrics". A fragment is never valid in a request.
 */
export function isPlainRequest(request: Request): boolean {
  const host = request.headers.get("host");
  return host !== null && isPlainHost(host) && request.url.startsWith("http") && !request.url.includes("#");
}
