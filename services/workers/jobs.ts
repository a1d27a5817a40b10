import type { Handlers } from "../../lib/queues/index.ts";
import { broadcast } from "./broadcasts/broadcast.ts";
import { sendBroadcasts } from "./broadcasts/send_broadcasts.ts";
import { sessionEvents } from "./default/session_events.ts";
import type { Deps } from "./deps.ts";
import { deliver } from "./high/deliver.ts";
import { inbound } from "./high/inbound.ts";
import { send } from "./high/send.ts";
import { describeMediaJob } from "./media/describe_media.ts";
import { fetchMedia } from "./media/fetch_media.ts";
import { prepareMedia } from "./media/prepare_media.ts";
import { expireDeliveriesJob } from "./maintenance/expire_deliveries.ts";
import { move } from "./low/move.ts";
import { forget } from "./maintenance/forget.ts";
import { keepPartitions } from "./maintenance/keep_partitions.ts";
import { purgeBusinesses } from "./maintenance/purge_businesses.ts";
import { removeMedia } from "./maintenance/remove_media.ts";
import { sweepMedia } from "./maintenance/sweep_media.ts";
import { sweep } from "./maintenance/sweep.ts";
import { sweepMoves } from "./maintenance/sweep_moves.ts";
import { fetchRecordings } from "./recordings/fetch_recordings.ts";
import { receipts } from "./receipts/receipts.ts";
import { syncReceipts } from "./receipts_sync/sync_receipts.ts";

/** Every job there is, and who does it; the queues decide which of them a process gets. */
export function createHandlers(deps: Deps) {
  return {
    send: send(deps),
    inbound: inbound(deps),
    deliver: deliver(deps),
    broadcast: broadcast(deps),
    send_broadcasts: sendBroadcasts(deps),
    session_events: sessionEvents(deps),
    receipts: receipts(deps),
    sync_receipts: syncReceipts(deps),
    sweep: sweep(deps),
    sweep_moves: sweepMoves(deps),
    move: move(deps),
    forget: forget(deps),
    purge_businesses: purgeBusinesses(deps),
    keep_partitions: keepPartitions(deps),
    expire_deliveries: expireDeliveriesJob(deps),
    fetch_media: fetchMedia(deps),
    describe_media: describeMediaJob(deps),
    prepare_media: prepareMedia(deps),
    sweep_media: sweepMedia(deps),
    remove_media: removeMedia(deps),
    fetch_recordings: fetchRecordings(deps),
  } satisfies Required<Handlers>;
}
