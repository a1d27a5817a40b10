/** How what arrived differs from what was sent in the chats that were compared. */
export type Comparison = {
  /** Messages sent. */
  sent: number;
  lost: number;
  /** Shown more than once to whoever reads the chat. */
  duplicates: number;
  /** Shown, but never sent. */
  foreign: number;
  /** Chats in which messages stand in another order than they were sent in. */
  disordered: number;
};

export const nothingCompared: Comparison = { sent: 0, lost: 0, duplicates: 0, foreign: 0, disordered: 0 };

/** Compares one chat by content. Texts are unique within it. */
export function compareChat(sent: readonly string[], shown: readonly string[]): Comparison {
  const first = [...new Set(shown)];
  const expected = new Set(sent);
  const arrived = new Set(shown);
  const known = first.filter((text) => expected.has(text));
  const inOrder = sent.filter((text) => arrived.has(text));
  return {
    sent: sent.length,
    lost: sent.length - inOrder.length,
    duplicates: shown.length - first.length,
    foreign: first.length - known.length,
    disordered: known.every((text, i) => text === inOrder[i]) ? 0 : 1,
  };
}

export function addComparisons(a: Comparison, b: Comparison): Comparison {
  return {
    sent: a.sent + b.sent,
    lost: a.lost + b.lost,
    duplicates: a.duplicates + b.duplicates,
    foreign: a.foreign + b.foreign,
    disordered: a.disordered + b.disordered,
  };
}
