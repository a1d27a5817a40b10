import { Hono } from "hono";
import type { ServerWebSocket } from "bun";
import { AppError } from "../../../lib/core/errors.ts";
import type { Core } from "../flow/core.ts";
import type { PublicUrls } from "../flow/instructions.ts";
import { zCallSid } from "../twilio/forms.ts";
import { isSigned } from "../twilio/signature.ts";
import type { CarriedStreams } from "./carried.ts";
import type { StreamSession } from "./session.ts";

/** Data attached to a socket. */
export type StreamData = { callSid: string; session: StreamSession | null };

export type StreamRoutesOptions = {
  core: Core;
  urls: PublicUrls;
  authTokens: readonly string[];
};

/** The upgrade to a media stream: GET /media/:call_sid. Refuses with an HTTP status before the socket opens. */
export function streamRoutes({ core, urls, authTokens }: StreamRoutesOptions): Hono {
  const app = new Hono();

  app.get("/media/:call_sid", async (c) => {
    if (authTokens.length === 0) {
      throw new AppError(
        "unavailable",
        "Media streams cannot be verified: set TWILIO_AUTH_TOKEN to the account's token.",
      );
    }
    const callSid = zCallSid.safeParse(c.req.param("call_sid"));
    if (!callSid.success) throw new AppError("not_found", "There is no call with this sid.");
    const url = urls.media(callSid.data);
    const signature = c.req.header("x-twilio-signature") ?? "";
    if (!isSigned({ authTokens, url, fields: [], signature })) {
      core.metrics.webhookRefused("signature");
      throw new AppError(
        "forbidden",
        "The signature does not match the stream's URL. Check that PUBLIC_URL is the URL that the carrier calls.",
      );
    }
    if (core.draining())
      throw new AppError("unavailable", "This replica is stopping and takes no new streams.", { retryAfterS: 1 });
    const { call } = await core.store.read(callSid.data);
    if (call === null) throw new AppError("not_found", "There is no call with this sid.");
    if (call.step !== "offered") throw new AppError("conflict", "The call expects no stream in its current state.");
    const server = c.env as Bun.Server<StreamData> | undefined;
    const data: StreamData = { callSid: callSid.data, session: null };
    if (server?.upgrade(c.req.raw, { data })) return new Response();
    return c.body("Open a WebSocket here.", 426, { upgrade: "websocket", "content-type": "text/plain; charset=utf-8" });
  });

  return app;
}

/** Handlers of open sockets. */
export function streamSockets(streams: CarriedStreams): Bun.WebSocketHandler<StreamData> {
  return {
    open: (socket: ServerWebSocket<StreamData>) => {
      socket.data.session = streams.open(socket.data.callSid, socket);
    },
    message: (socket, message) => socket.data.session?.receive(message),
    drain: (socket) => socket.data.session?.drained(),
    close: (socket) => socket.data.session?.closed(),
    // A frame has about 300 bytes, the start a few more; the parser accepts up to 30 s of audio.
    maxPayloadLength: 512 * 1024,
    // StreamOptions.idleMs ends silent streams earlier; this closes sockets that never sent a message.
    idleTimeout: 60,
    perMessageDeflate: false,
    // Playout holds frames back below this limit.
    backpressureLimit: 1024 * 1024,
    closeOnBackpressureLimit: true,
  };
}
