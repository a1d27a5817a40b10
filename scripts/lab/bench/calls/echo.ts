/** A voice agent that echoes every frame at once and reports it. */
export type EchoAgent = {
  url: string;
  /** Called for each frame of a caller, as it comes. */
  onFrame: (audio: Buffer) => void;
  stop(): Promise<void>;
};

export function startEcho(): EchoAgent {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, bun) => (bun.upgrade(request) ? undefined : new Response(null, { status: 426 })),
    websocket: {
      message: (socket, data) => {
        if (typeof data === "string") return;
        agent.onFrame(data);
        socket.send(data);
      },
      perMessageDeflate: false,
    },
  });
  const agent: EchoAgent = { url: `ws://127.0.0.1:${server.port}/`, onFrame: () => {}, stop: () => server.stop(true) };
  return agent;
}
