/*
 * Settings: MOVES=2
 *
 * The moves of one business between two shards: move 1 from shard 0 to shard 1, and later ones back or again
 * (services/workers/moves, rules.ts). Two movers work at once: a mover is killed at any step, continues after any delay
 * with what it has read, and repeats what another one has done. Shards are killed at any step.
 *
 * Checked:
 *   - the login is never open on both shards
 *   - an opened login is the latest: no session is rolled back
 *   - the login is never lost: one of the shards has the latest
 *   - an order of the mover that is up to date is never refused once the target has the login, so every move ends
 *
 * Each MUTATE_* macro removes one rule. SPIN has to find a violation then (scripts/testing/models).
 */

#ifndef MOVES
#define MOVES 2
#endif
#ifndef KILLS
#define KILLS 1    /* of shards in a run */
#endif
#define USES 3     /* times that an open session advances its keys in a run */

#ifdef MUTATE_NO_FENCE
#define checks_fence 0
#else
#define checks_fence 1
#endif
#ifdef MUTATE_BLIND_ADVANCE
#define compares_step 0
#else
#define compares_step 1
#endif
#ifdef MUTATE_LATE_ROLLBACK
#define may_roll_back(s) (s == FENCED || s == STOPPED || s == TAKEN || s == TOMBSTONED)
#else
#define may_roll_back(s) (s == FENCED || s == STOPPED)
#endif
#ifdef MUTATE_OPEN_SOURCE
#define stops_source 0
#else
#define stops_source 1
#endif

/* Steps of a move, in Postgres. */
#define REQUESTED 0
#define FENCED 1
#define STOPPED 2
#define TAKEN 3
#define TOMBSTONED 4
#define SWITCHED 5
#define OPENED 6
#define DONE 7
#define ROLLING_BACK 8
#define ROLLED_BACK 9

/* States of the business on a shard. */
#define NEVER 0
#define HERE 1
#define LEAVING 2
#define GONE 3
#define ARRIVING 4

byte step[MOVES + 1];
byte from[MOVES + 1];        /* decided when the move is fenced */
byte assigned = 0;           /* businesses.whatsapp_shard */
byte fenced_by = 0;          /* businesses.whatsapp_move; its number is the fence, too */
byte next_move = 1;

byte state[2]; byte by[2];   /* of the last move on a shard */
byte login[2]; byte staged[2]; /* versions; 0: none */
bool open[2];
byte latest = 1;
byte kills = KILLS;
byte uses = USES;

#define target(m) (1 - from[m])
#define is_resident(s) (state[s] == NEVER || state[s] == HERE)
#define is_over(m) (step[m] == DONE || step[m] == ROLLED_BACK)

/* rules.ts: `ok` is false if the order is refused. */
inline decide(s, m, fresh, first, second, to, within) {
  if
  :: state[s] != NEVER && by[s] == m -> ok = (state[s] == to || state[s] == within)
  :: state[s] == NEVER -> ok = fresh
  :: else -> ok = (fresh && (m > by[s] || !checks_fence) && (state[s] == first || state[s] == second))
  fi;
  if
  :: ok -> state[s] = to; by[s] = m
  :: else
  fi
}

inline advance(m, before, after) {
  if
  :: step[m] == before || !compares_step -> step[m] = after
  :: else
  fi
}

/* A refusal matters for a mover that is up to date, and behind the point of no return. */
inline expect_accepted(m, seen) {
  assert(ok || step[m] != seen)
}

proctype Mover() {
  byte m; byte seen; byte bundle; bool ok;
  do
  :: atomic { next_move <= MOVES && (next_move == 1 || is_over(next_move - 1)) && step[next_move] == REQUESTED &&
              fenced_by == 0 ->
       from[next_move] = assigned; fenced_by = next_move; step[next_move] = FENCED; next_move++ }
  :: next_move > 1 ->
     /* A mover reads the move, and acts on that however late. */
     atomic { m = next_move - 1; seen = step[m] };
     if
     :: seen == FENCED ->
        atomic { decide(from[m], m, true, HERE, LEAVING, LEAVING, LEAVING);
          if
          :: ok && stops_source -> open[from[m]] = false
          :: else
          fi };
        atomic {
          if
          :: ok -> advance(m, FENCED, STOPPED)
          :: may_roll_back(seen) -> advance(m, seen, ROLLING_BACK)
          fi }
     :: seen == STOPPED ->
        atomic { ok = (state[from[m]] == LEAVING && by[from[m]] == m); bundle = (ok -> login[from[m]] : 0) };
        if
        :: ok ->
           atomic { decide(target(m), m, true, GONE, ARRIVING, ARRIVING, ARRIVING);
             if
             :: ok -> staged[target(m)] = bundle
             :: else
             fi };
           atomic {
             if
             :: ok -> advance(m, STOPPED, TAKEN)
             :: else -> advance(m, STOPPED, ROLLING_BACK)
             fi }
        :: else -> skip
        fi;
        bundle = 0
     :: may_roll_back(seen) -> atomic { advance(m, seen, ROLLING_BACK) }
     :: seen == TAKEN ->
        atomic { decide(from[m], m, false, NEVER, NEVER, GONE, LEAVING);
          if
          :: ok -> login[from[m]] = 0
          :: else
          fi;
          expect_accepted(m, TAKEN) };
        atomic { advance(m, TAKEN, TOMBSTONED) }
     :: seen == TOMBSTONED ->
        atomic {
          if
          :: step[m] == TOMBSTONED -> step[m] = SWITCHED; assigned = target(m)
          :: else
          fi }
     :: seen == SWITCHED ->
        /* The store is put in use before the decision is recorded, so that a kill in between repeats it. */
        atomic { ok = (by[target(m)] == m && (state[target(m)] == ARRIVING || state[target(m)] == HERE));
          if
          :: ok && state[target(m)] == ARRIVING && staged[target(m)] != 0 ->
             login[target(m)] = staged[target(m)]; staged[target(m)] = 0
          :: else
          fi;
          expect_accepted(m, SWITCHED) };
        if
        :: ok ->
           atomic { decide(target(m), m, false, NEVER, NEVER, HERE, ARRIVING);
             expect_accepted(m, SWITCHED) };
           atomic { advance(m, SWITCHED, OPENED) }
        :: else -> skip
        fi
     :: seen == OPENED ->
        atomic {
          if
          :: step[m] == OPENED -> step[m] = DONE; fenced_by = 0
          :: else
          fi }
     :: seen == ROLLING_BACK ->
        /* The target may be unavailable: the move goes on without its answer. */
        if
        :: atomic { decide(target(m), m, true, GONE, ARRIVING, GONE, ARRIVING);
             if
             :: ok -> staged[target(m)] = 0
             :: else
             fi }
        :: skip
        fi;
        atomic { decide(from[m], m, true, HERE, LEAVING, HERE, LEAVING); expect_accepted(m, ROLLING_BACK) };
        atomic {
          if
          :: step[m] == ROLLING_BACK && ok -> step[m] = ROLLED_BACK; fenced_by = 0
          :: else
          fi }
     :: is_over(m) -> skip
     :: true -> skip /* killed before its next step */
     fi;
     ok = false; m = 0; seen = 0
  od
}

/* A shard opens the login that it may open, and uses it. */
proctype Shard(byte s) {
  do
  :: atomic { !open[s] && is_resident(s) && login[s] != 0 ->
       assert(!open[1 - s]); assert(login[s] == latest); open[s] = true }
  :: atomic { open[s] && uses > 0 -> assert(login[s] == latest); uses--; latest++; login[s] = latest }
  :: atomic { open[s] && kills > 0 -> kills--; open[s] = false }
  :: atomic { login[0] != latest && login[1] != latest && staged[0] != latest && staged[1] != latest -> assert(false) }
  od
}

init {
  atomic {
    login[0] = 1; open[0] = true;
    run Shard(0); run Shard(1); run Mover(); run Mover()
  }
}
