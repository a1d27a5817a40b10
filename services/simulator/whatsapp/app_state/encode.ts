/** Of a varint, and of a field with bytes. */
const [varintType, bytesType] = [0, 2];

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 0x80)) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 0x80) | 0x80);
  }
}

/** A protobuf field of bytes, for fields that Baileys' definitions lack. */
export const bytesField = (number: number, value: Uint8Array): Buffer =>
  Buffer.concat([varint(number * 8 + bytesType), varint(value.length), value]);

export const varintField = (number: number, value: number): Buffer =>
  Buffer.concat([varint(number * 8 + varintType), varint(value)]);
