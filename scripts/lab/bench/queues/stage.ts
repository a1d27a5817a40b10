import { join } from "node:path";
import { customerApi, messageRequest } from "../../rig/customer_api.ts";
import type { CustomerApi } from "../../rig/customer_api.ts";
import { startTogether } from "../../rig/cleanup.ts";
import type { Edge } from "../../rig/edge.ts";
import { httpRequest } from "../../rig/https_load.ts";
import { makeBusinesses } from "../../rig/pairing.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Customer, Platform } from "../../rig/platform.ts";
import { startPictureHost } from "./media_host.ts";
import type { PictureHost } from "./media_host.ts";

/** The whole path of a message, nginx included, with paired businesses. */
export type Stage = {
  platform: Platform;
  edge: Edge;
  pictures: PictureHost;
  customers: Customer[];
  stop(): Promise<void>;
};

export type StagePlan = { folder: string; businesses: number; contacts: number; pictures: number };

export const setStage = ({ folder, businesses, contacts, pictures: count }: StagePlan): Promise<Stage> =>
  startTogether(async (onStop) => {
    const pictures = await startPictureHost(folder, count);
    onStop(() => pictures.stop());
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
    onStop(() => platform.stop());
    const edge = await platform.startEdge();
    return { platform, edge, pictures, customers: await platform.enroll(makeBusinesses(businesses, contacts)) };
  });

/** The encoded request that sends a text, for `load`. */
export const sendRequest = (customer: Customer, to: string, text: string): string =>
  httpRequest(messageRequest(customer, to, text));

/** The API through the edge, for a customer. */
export const throughEdge = ({ edge }: Pick<Stage, "edge">, customer: Customer): CustomerApi =>
  customerApi(`https://127.0.0.1:${edge.httpsPort}`, customer);
