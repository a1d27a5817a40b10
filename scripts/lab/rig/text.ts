/** The text of a message: its own in every chat, and as long as people write. */
export function textOf(label: string, phone: string, i: number): string {
  return `${label} ${phone} ${i}: Good morning! Your order has been packed and leaves our warehouse today.`;
}
