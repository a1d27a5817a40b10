const hostForm = /^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/;

/** The longest DNS name, a colon and a port. */
const maxHostLength = 253 + 6;

/** Whether a Host header is a plain `host[:port]`: a name or an IP address, without user, path, query or blanks. */
export function isPlainHost(host: string): boolean {
  if (host.length > maxHostLength) return false;
  const found = hostForm.exec(host);
  return found !== null && Number(found[1] ?? 0) <= 65_535;
}

/**
 * Whether a request's URL is the one that its client asked for. Bun builds it from the Host header and the target: with a
 * malformed host it is the bare target, of which Hono takes the second segment for the first ("/v1/metrics" becomes
 * "/metrics"). A fragment never belongs in a request.
 */
export function isPlainRequest(request: Request): boolean {
  const host = request.headers.get("host");
  return host !== null && isPlainHost(host) && request.url.startsWith("http") && !request.url.includes("#");
}
