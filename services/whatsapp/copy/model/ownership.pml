/*
 * Settings: DISCARDS=1 REQUIRED=1 REQUIRED=0
 *
 * Who owns a shard, and what its copy holds (../README.md). Two nodes; node 0 owns the shard at the start.
 *
 * A process whose volume is out of date stands by, until an operator deletes the volume's state or discards the copy.
 * After a discard the epochs begin again, and the shard starts with the state of the volume that is mounted.
 * A claim is one step with the read before it, because its statement compares the epoch and the volume that were read.
 *
 * Processes are killed, and nodes are lost with their volumes, at any step. A process that is suspended, or cut off from
 * Consul, from Postgres or from both, takes none of the steps that it cannot take; since no step ever has to be taken,
 * the search covers these cases without a variable for them. Messages go both ways.
 *
 * Time: a belief is true while the owner's clock is within the lease. The owner counts from the moment at which it sent
 * the request, the server from a later one. So a server's lease ends only after the belief has ended: that is the one
 * assumption about clocks. Beliefs end whether a process takes steps or not.
 *
 * Checked at every act towards WhatsApp:
 *   - the actor has made the last claim, so there are never two
 *   - a Signal counter never encrypts two messages
 *   - a message is sent under one id
 * and always, with REQUIRED: a message that WhatsApp was acknowledged is in Postgres, in the owner's journal, or in the
 * copy.
 * And a process that stands by never renews the lock in Consul, which the owner needs to start.
 *
 * Each MUTATE_* macro removes one rule. SPIN has to find a violation then (scripts/testing/models).
 */

#ifndef DISCARDS
#define DISCARDS 0 /* of the copy in a run */
#endif
#ifndef REQUIRED
#define REQUIRED 1 /* WA_DURABILITY: 1 required, 0 copied */
#endif
/* With `copied`, and by a discard, a loss of received messages is no fault: none are modelled. */
#define receives (REQUIRED && !DISCARDS)
/* Leases end without a fault, too. */
#ifndef FAULTS
#define FAULTS (2 - 2 * DISCARDS) /* of a run */
#endif
#ifndef EPOCHS
#define EPOCHS 3   /* claims of a run: both nodes, and the first one again */
#endif

/* Removable rules. */
#if REQUIRED && !defined(MUTATE_SEND_BEFORE_COPY)
#define waits_to_send 1
#else
#define waits_to_send 0
#endif
#if REQUIRED && !defined(MUTATE_ACK_BEFORE_COPY)
#define waits_to_acknowledge 1
#else
#define waits_to_acknowledge 0
#endif
#if REQUIRED && !defined(MUTATE_OPEN_BEFORE_SNAPSHOT)
#define waits_to_open 1
#else
#define waits_to_open 0
#endif
#ifdef MUTATE_NO_DEADLINE
#define has_deadline 0
#else
#define has_deadline 1
#endif
#ifdef MUTATE_NO_LEASE
#define waits_for_lease 0
#else
#define waits_for_lease 1
#endif
#ifdef MUTATE_NO_LOCK
#define needs_lock 0
#else
#define needs_lock 1
#endif
#ifdef MUTATE_NO_CONTINUITY
#define needs_continuity 0
#else
#define needs_continuity 1
#endif
#ifdef MUTATE_FORMER_VOLUME
#define refuses_former_volume 0
#else
#define refuses_former_volume 1
#endif
#ifdef MUTATE_UNFENCED_APPEND
#define fences_appends 0
#else
#define fences_appends 1
#endif
#ifdef MUTATE_NO_RESET
#define resets_sessions 0
#else
#define resets_sessions 1
#endif
#ifdef MUTATE_NO_DISCARD_RESET
#define resets_after_discard 0
#else
#define resets_after_discard 1
#endif
#ifdef MUTATE_EPOCH_ONLY
#define fences_volumes 0
#else
#define fences_volumes 1
#endif
#ifdef MUTATE_DISCARD_LEASED
#define discards_abandoned 0
#else
#define discards_abandoned 1
#endif
#ifdef MUTATE_LOCK_FIRST
#define looks_first 0
#else
#define looks_first 1
#endif
#ifdef MUTATE_NEW_ID
#define derives_ids 0
#else
#define derives_ids 1
#endif

#define NONE 2     /* no node */
#define TEXTS 2    /* messages to send */
#define COUNTERS 2 /* of a Signal session that a run may use */
#define SESSIONS 3 /* Signal sessions that a run may begin */

/* Consul, and Postgres. */
byte lock_holder = 0;
byte lease_holder = 0; /* the volume that may write */
bool lease_valid = true;
byte epoch = 1;
bool has_copy = true;
byte claims = 1;       /* of the run: the last claim is the owner's, whatever its epoch */
byte discards = DISCARDS;

/* The copy: the shard's state as far as Postgres has it. */
byte copy_counter = 0; /* the next counter of the Signal session */
byte copy_session = 0;
bool copy_journal;
bool exact = REQUIRED; /* nothing has left the shard that the copy lacks */

bool written;          /* Postgres has the received message */

/* WhatsApp. */
byte login = NONE;              /* whose connection it accepts */
bool held = true;               /* the received message is not acknowledged */
byte used[COUNTERS * SESSIONS]; /* message + 1 that a counter has encrypted */
byte sent_as[TEXTS];            /* the id under which a message left */

typedef Node {
  bool runs;
  bool believes_lock; bool believes_lease;
  bool stands_by;
  byte epoch;                     /* that this process has claimed */
  byte claimed_as;                /* its number among all claims of the run */
  bool opened;                    /* sessions may open */
  byte text; byte text_counter;   /* message + 1 whose ratchet has advanced, and its counter */
  bool adds_ratchet;              /* changes of this process that are not in the tail yet */
  bool adds_journal;
  /* The volume. */
  bool has_state;
  byte counter; byte session; bool journal
};
Node node[2];
byte sessions = 1;
byte faults = FAULTS;
byte ids;

#define confirmed(i) (node[i].believes_lock || node[i].believes_lease || !has_deadline)
#define owns(i) (node[i].runs && node[i].opened && confirmed(i))
/* True if Postgres takes this process for the owner of the copy. */
#define is_current(i) (has_copy && node[i].epoch == epoch && (lease_holder == i || !fences_volumes))
#define is_owner(i) (node[i].claimed_as == claims)
/* True if the volume is out of date: the shard was restored elsewhere since. */
#define is_succeeded(i) (node[i].has_state && has_copy && lease_holder != i && refuses_former_volume)
#define is_kept (held || written || copy_journal || (node[lease_holder].has_state && node[lease_holder].journal))

inline copy_from(i) {
  copy_counter = node[i].counter; copy_session = node[i].session; copy_journal = node[i].journal
}

inline stop(i) {
  node[i].runs = false; node[i].stands_by = false; node[i].opened = false; node[i].epoch = 0; node[i].claimed_as = 0;
  node[i].text = 0; node[i].text_counter = 0; node[i].adds_ratchet = false; node[i].adds_journal = false;
  node[i].believes_lock = false; node[i].believes_lease = false;
  if
  :: login == i -> login = NONE
  :: else
  fi
}

inline clear(i) {
  node[i].has_state = false; node[i].counter = 0; node[i].session = 0; node[i].journal = false
}

inline claim(i) {
  epoch++; node[i].epoch = epoch; claims++; node[i].claimed_as = claims;
  lease_holder = i; lease_valid = true; node[i].believes_lease = true
}

/* Signal sessions whose keys may have been used beyond what this state knows. */
inline reset(i) {
  node[i].session = sessions; sessions++; node[i].counter = 0
}

proctype Shard(byte i) {
  byte at; byte id;
  do
  /* Start: a volume that is out of date stands by, without the lock in Consul. */
  :: atomic { !node[i].runs && !node[i].stands_by && is_succeeded(i) && looks_first -> node[i].stands_by = true }
  :: atomic { node[i].stands_by && !is_succeeded(i) -> node[i].stands_by = false }
  /* Else the lock in Consul first. A dead predecessor's session on the same volume is destroyed. */
  :: atomic { !node[i].runs && !node[i].stands_by && (!is_succeeded(i) || !looks_first) &&
              (lock_holder == NONE || lock_holder == i || !needs_lock) ->
       node[i].runs = true;
       if
       :: lock_holder == NONE || lock_holder == i -> lock_holder = i; node[i].believes_lock = true
       :: else
       fi }

  /* The volume's own copy. The volume may be ahead of it. */
  :: atomic { node[i].runs && node[i].epoch == 0 && node[i].has_state && has_copy && claims < EPOCHS &&
              (lease_holder == i || (!refuses_former_volume && !lease_valid)) ->
       claim(i); node[i].opened = !waits_to_open }

  /* No copy: the state of the volume, which may be an older one. Without state, a QR code links a new login. */
  :: atomic { node[i].runs && node[i].epoch == 0 && !has_copy && claims < EPOCHS &&
              (node[i].believes_lock || !needs_lock) && sessions < SESSIONS ->
       if
       :: resets_after_discard || !node[i].has_state -> reset(i)
       :: else
       fi;
       claim(i); node[i].has_state = true; has_copy = true; copy_from(i); exact = REQUIRED; node[i].opened = true }

  /* With `required` the sessions open after a snapshot: the copy equals the volume. */
  :: atomic { node[i].runs && node[i].epoch != 0 && is_current(i) && node[i].has_state && !node[i].opened ->
       copy_from(i); node[i].opened = true }

  /* The volume was succeeded after the process had looked: it ends, and looks again. */
  :: atomic { node[i].runs && node[i].epoch == 0 && is_succeeded(i) ->
       if
       :: looks_first ->
            stop(i);
            if
            :: lock_holder == i -> lock_holder = NONE
            :: else
            fi
       :: else -> node[i].stands_by = true
       fi }

  /* An empty volume: claim and restore. */
  :: atomic { node[i].runs && node[i].epoch == 0 && !node[i].has_state && has_copy && claims < EPOCHS &&
              (!lease_valid || !waits_for_lease) && (node[i].believes_lock || !needs_lock) && sessions < SESSIONS ->
       claim(i); node[i].has_state = true;
       node[i].counter = copy_counter; node[i].session = copy_session; node[i].journal = copy_journal;
       if
       :: !exact && resets_sessions -> reset(i)
       :: else
       fi;
       node[i].opened = true }

  /* Renewals. After a time without any confirmation, the lock alone proves nothing: another node may have held it. */
  :: atomic { node[i].runs && !node[i].believes_lock && (lock_holder == i || lock_holder == NONE) &&
              (node[i].epoch == 0 || confirmed(i) || !needs_continuity) ->
       lock_holder = i; node[i].believes_lock = true }
  :: atomic { node[i].runs && node[i].epoch != 0 && is_current(i) && !(node[i].believes_lease && lease_valid) ->
       lease_valid = true; node[i].believes_lease = true }

  /* A former owner stops when it learns of it, and an owner that nothing has confirmed in time. */
  :: atomic { node[i].runs && lock_holder == 1 - i && needs_lock -> stop(i) }
  :: atomic { node[i].runs && node[i].epoch != 0 && !is_current(i) -> stop(i) }
  :: atomic { node[i].runs && node[i].opened && !confirmed(i) -> stop(i) }

  /* An append to the tail: one statement. It has the changes of this process, not those of a killed predecessor. */
  :: atomic { node[i].runs && node[i].opened && (node[i].adds_ratchet || node[i].adds_journal) &&
              (is_current(i) || !fences_appends) ->
       if
       :: node[i].adds_ratchet -> copy_counter = node[i].counter; copy_session = node[i].session
       :: else
       fi;
       if
       :: node[i].adds_journal -> copy_journal = node[i].journal
       :: else
       fi;
       node[i].adds_ratchet = false; node[i].adds_journal = false }

  /* Log in. WhatsApp ends an earlier connection. */
  :: atomic { owns(i) && login != i -> assert(is_owner(i)); login = i }

  /* Send: the ratchet advances on the volume, then the message leaves. */
  :: atomic { owns(i) && login == i && node[i].text == 0 && node[i].counter < COUNTERS ->
       if
       :: node[i].text = 1
       :: node[i].text = 2
       fi;
       node[i].text_counter = node[i].counter; node[i].counter++; node[i].adds_ratchet = true }
  :: atomic { owns(i) && login == i && node[i].text != 0 && (!node[i].adds_ratchet || !waits_to_send) ->
       assert(is_owner(i));
       at = node[i].session * COUNTERS + node[i].text_counter;
       assert(used[at] == 0 || used[at] == node[i].text);
       used[at] = node[i].text;
       at = node[i].text - 1;
       if
       :: derives_ids -> id = at + 1
       :: else -> ids++; id = ids
       fi;
       assert(sent_as[at] == 0 || sent_as[at] == id);
       sent_as[at] = id;
       node[i].text = 0; node[i].text_counter = 0; at = 0; id = 0 }

  /* Receive: the journal first, then the acknowledgement. */
  :: atomic { receives && owns(i) && login == i && held && !node[i].journal && !written ->
       node[i].journal = true; node[i].adds_journal = true }
  :: atomic { owns(i) && login == i && held && node[i].journal && (!node[i].adds_journal || !waits_to_acknowledge) ->
       assert(is_owner(i)); held = false }

  /* A worker writes the journal to Postgres, and the shard forgets. */
  :: atomic { node[i].runs && node[i].opened && node[i].journal && lease_holder == i && !held ->
       written = true; node[i].journal = false; node[i].adds_journal = true }
  od
}

inline end_beliefs(i) {
  if
  :: node[i].believes_lock -> node[i].believes_lock = false
  :: node[i].believes_lease -> node[i].believes_lease = false
  fi
}

inline fault(i) {
  if
  :: node[i].runs -> stop(i)
  :: node[i].has_state -> stop(i); clear(i) /* the node is lost with its volume */
  fi;
  faults--
}

proctype World() {
  do
  :: atomic { node[0].believes_lock || node[0].believes_lease -> end_beliefs(0) }
  :: atomic { node[1].believes_lock || node[1].believes_lease -> end_beliefs(1) }
  /* A server's lease ends after the belief in it. */
  :: atomic { lock_holder != NONE && !node[lock_holder].believes_lock -> lock_holder = NONE }
  :: atomic { lease_valid && !node[lease_holder].believes_lease -> lease_valid = false }
  :: atomic { faults > 0 && (node[0].runs || node[0].has_state) -> fault(0) }
  :: atomic { faults > 0 && (node[1].runs || node[1].has_state) -> fault(1) }
  /* An operator deletes the state of a volume that stands by. */
  :: atomic { node[0].stands_by && is_succeeded(0) -> clear(0) }
  :: atomic { node[1].stands_by && is_succeeded(1) -> clear(1) }
  /* An operator discards a copy that has no owner. */
  :: atomic { has_copy && discards > 0 && (!lease_valid || !discards_abandoned) ->
       has_copy = false; discards--; epoch = 0; lease_valid = false; copy_counter = 0; copy_session = 0;
       copy_journal = false }
  :: atomic { receives && !is_kept -> assert(false) }
  :: atomic { (node[0].stands_by && node[0].believes_lock) || (node[1].stands_by && node[1].believes_lock) ->
       assert(false) }
  od
}

init {
  atomic {
    node[0].runs = true;
    node[0].believes_lock = true; node[0].believes_lease = true;
    node[0].epoch = 1; node[0].claimed_as = 1; node[0].opened = true; node[0].has_state = true;
    run Shard(0); run Shard(1); run World()
  }
}
