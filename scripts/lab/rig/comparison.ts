/** How the arrived messages of the compared chats differ from the sent ones. */
export type Comparison = {
  /** Messages sent. */
  sent: number;
  lost: number;
  /** Shown more than once in a chat. */
  duplicates: number;
  /** Shown, but never sent. */
  foreign: number;
  /** Chats whose messages arrived in another order than they were sent. */
  disordered: number;
};

export const nothingCompared: Comparison = { sent: 0, lost: 0, duplicates: 0, foreign: 0, disordered: 0 };

/** Texts of each chat, by its contact. */
export type Chats = ReadonlyMap<string, readonly string[]>;

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

/** Compares all chats; `onDisorder` receives each chat whose order differs. */
export function compareChats(
  sent: Chats,
  shown: Chats,
  onDisorder: (contact: string, sent: readonly string[], shown: readonly string[]) => void = () => {},
): Comparison {
  let sum = nothingCompared;
  for (const contact of new Set([...sent.keys(), ...shown.keys()])) {
    const [expected, arrived] = [sent.get(contact) ?? [], shown.get(contact) ?? []];
    const compared = compareChat(expected, arrived);
    if (compared.disordered > 0) onDisorder(contact, expected, arrived);
    sum = addComparisons(sum, compared);
  }
  return sum;
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
