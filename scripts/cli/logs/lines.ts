/** A longer line is cut, so that a task that never ends one needs no memory. */
const maxLength = 256 * 1024;

/** The lines of a stream of bytes, as they come. Blank lines are left out. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, max = maxLength): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  let isSkipping = false;
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    for (const [index, part] of parts.entries()) {
      const isEnd = index === 0 && isSkipping;
      if (isEnd) isSkipping = false;
      else if (part.trim() !== "") yield cut(part, max);
    }
    if (isSkipping) rest = "";
    else if (rest.length > max) {
      yield cut(rest, max);
      [rest, isSkipping] = ["", true];
    }
  }
  if (!isSkipping && rest.trim() !== "") yield rest;
}

const cut = (line: string, max: number) => (line.length > max ? `${line.slice(0, max)}…` : line);
