import { join } from "node:path";
import { httpRequest } from "../../rig/https_load.ts";
import { startEdge } from "../../rig/edge.ts";
import type { Edge } from "../../rig/edge.ts";
import { customerApi } from "../../rig/customer_api.ts";
import type { CustomerApi } from "../../rig/customer_api.ts";
import { startPictureHost } from "./media_host.ts";
import type { PictureHost } from "./media_host.ts";
import { makeBusinesses } from "../../rig/pairing.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Customer, Platform } from "../../rig/platform.ts";

/** Everything that a message passes on its way, nginx included, with businesses that are paired. */
export type Stage = {
  platform: Platform;
  edge: Edge;
  pictures: PictureHost;
  customers: Customer[];
  stop(): Promise<void>;
};

export type StagePlan = { folder: string; businesses: number; contacts: number; pictures: number };

export async function setStage({ folder, businesses, contacts, pictures: count }: StagePlan): Promise<Stage> {
  const closers: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    const pictures = await startPictureHost(folder, count);
    closers.push(() => pictures.stop());
    const platform = await startPlatform({
      folder,
      shards: 2,
      workers: ["high", "default", "low"].map((group) => ({ group })),
      durable: true,
      env: {
        STORAGE_URL: `file://${join(folder, "store")}`,
        WA_MEDIA_HOST: pictures.address,
        NODE_EXTRA_CA_CERTS: pictures.certFile,
      },
    });
    closers.push(() => platform.stop());
    const edge = await startEdge(join(folder, "edge"), platform.consul.address, async (port) => {
      const answer = await fetch(`https://127.0.0.1:${port}/v1/openapi.json`, { tls: { rejectUnauthorized: false } });
      return answer.ok;
    });
    closers.push(() => edge.stop());
    return { platform, edge, pictures, customers: await platform.enroll(makeBusinesses(businesses, contacts)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The request that sends a text, for `load`. */
export function sendRequest({ id, key }: Customer, to: string, text: string): string {
  const headers = {
    authorization: `Bearer ${key}`,
    "content-type": "application/json",
    "idempotency-key": crypto.randomUUID(),
  };
  return httpRequest("POST", `/v1/businesses/${id}/messages`, headers, JSON.stringify({ to, type: "text", text }));
}

/** The API through the edge, for a customer. */
export const throughEdge = ({ edge }: Pick<Stage, "edge">, customer: Customer): CustomerApi =>
  customerApi(`https://127.0.0.1:${edge.httpsPort}`, customer);
