import type { Handlers } from "../../lib/queues/index.ts";
import { broadcast } from "./broadcasts/broadcast.ts";
import { sendBroadcasts } from "./broadcasts/send_broadcasts.ts";
import { identities } from "./receiving/identities.ts";
import { mergeChats } from "./receiving/merge_chats.ts";
import { sessionEvents } from "./receiving/session_events.ts";
import type { Deps } from "./deps.ts";
import { deliver } from "./webhooks/deliver.ts";
import { inbound } from "./receiving/inbound.ts";
import { send } from "./sending/send.ts";
import { describeMediaJob } from "./media/describe_media.ts";
import { fetchMedia } from "./media/fetch_media.ts";
import { prepareMedia } from "./media/prepare_media.ts";
import { expireDeliveriesJob } from "./upkeep/expire_deliveries.ts";
import { move } from "./moves/move.ts";
import { forget } from "./upkeep/forget.ts";
import { keepPartitions } from "./upkeep/keep_partitions.ts";
import { purgeBusinesses } from "./upkeep/purge_businesses.ts";
import { removeMedia } from "./media/remove_media.ts";
import { sweepMedia } from "./media/sweep_media.ts";
import { sweep } from "./upkeep/sweep.ts";
import { sweepMoves } from "./moves/sweep_moves.ts";
import { fetchRecordings } from "./calls/fetch_recordings.ts";
import { receipts } from "./receiving/receipts.ts";
import { replayQuarantine } from "./receiving/replay_quarantine.ts";
import { syncReceipts } from "./receiving/sync_receipts.ts";

/** The handler of every job; the queues that a process serves decide which of them run in it. */
export function createHandlers(deps: Deps) {
  return {
    send: send(deps),
    inbound: inbound(deps),
    deliver: deliver(deps),
    broadcast: broadcast(deps),
    send_broadcasts: sendBroadcasts(deps),
    session_events: sessionEvents(deps),
    identities: identities(deps),
    merge_chats: mergeChats(deps),
    receipts: receipts(deps),
    replay_quarantine: replayQuarantine(deps),
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
