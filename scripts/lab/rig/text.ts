/** A message text, unique in each chat and of typical length. */
export function textOf(label: string, phone: string, i: number): string {
  return `${label} ${phone} ${i}: Good morning! Your order has been packed and leaves our warehouse today.`;
}
