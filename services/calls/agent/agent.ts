import { safeEqual } from "../../../lib/core/secret.ts";
import { jsonOrUndefined } from "../../../lib/core/json.ts";
import type { Lifecycle } from "../../../lib/runtime/lifecycle.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import { Menu } from "./menu.ts";
import type { MenuOptions } from "./menu.ts";
import { toAgent } from "./protocol.ts";

export type AgentOptions = MenuOptions & {
  host: string;
  port: number;
  /** Bearer tokens of which the calls service must present one; undefined: none. */
  tokens?: readonly string[] | undefined;
  life: Lifecycle;
  logger: Logger;
};

type Connection = { menu: Menu | null };

/** Serves the agent's side of the protocol with a menu behind every call. */
export function serveAgent({ host, port, tokens, life, logger, ...menu }: AgentOptions): {
  url: string;
  port: number;
  connections(): number;
} {
  let open = 0;
  const server = Bun.serve<Connection>({
    hostname: host,
    port,
    fetch: (request, bun) => {
      const given = request.headers.get("authorization") ?? "";
      if (tokens !== undefined && !tokens.some((token) => safeEqual(given, `Bearer ${token}`))) {
        return new Response("Present the agent's token.", { status: 401 });
      }
      if (bun.upgrade(request, { data: { menu: null } })) return undefined;
      return new Response("Open a WebSocket here.", { status: 426 });
    },
    websocket: {
      open: (socket) => {
        open += 1;
        socket.data.menu = new Menu(
          {
            play: (audio) => void socket.send(audio),
            say: (message) => void socket.send(JSON.stringify(message)),
          },
          menu,
        );
      },
      message: (socket, data) => {
        if (typeof data !== "string") return socket.data.menu?.hear(data);
        const message = toAgent.safeParse(jsonOrUndefined(data));
        if (message.success) socket.data.menu?.take(message.data);
        else logger.warn("a message violates the protocol");
      },
      close: () => {
        open -= 1;
      },
      maxPayloadLength: 512 * 1024,
      perMessageDeflate: false,
    },
  });
  life.onStop("agent", () => server.stop(true));
  return { url: `ws://${host}:${server.port}/`, port: server.port ?? port, connections: () => open };
}
