#!/bin/sh
# Runs before the replica, as its user: copies the primary into /data/main unless a copy is there. The primary is
# found by PGHOST, PGPORT, PGUSER and PGPASSWORD. Safe to run again and again.
set -eu
umask 077

data=/data/main
slot=prosaas_replica

# The replica reads its password from a file at each connection: Postgres logs a changed primary_conninfo.
# live_postgres.ts writes the file, too.
export PGPASSFILE=/data/passfile
[ -z "${PGPASSWORD:-}" ] || printf '*:*:*:*:%s\n' "$PGPASSWORD" >"$PGPASSFILE"
unset PGPASSWORD

exec 9>/data/lock
flock --nonblock 9 || {
  echo "another server still has this volume" >&2
  exit 1
}

# The primary drops a slot when too much of the log waits for it (max_slot_wal_keep_size); the copy can never catch up
# then.
slot_state() {
  psql -d postgres -XAtc "select wal_status from pg_replication_slots where slot_name = '$slot'" 2>/dev/null ||
    echo unknown
}

if [ -s "$data/PG_VERSION" ]; then
  # Without the primary it starts as it is.
  case $(slot_state) in
    lost)
      echo "the primary has discarded WAL that this copy needs: copying the primary again"
      rm -rf "$data"
      ;;
    '') pg_receivewal --slot "$slot" --create-slot --if-not-exists ;;
  esac
fi

if [ ! -s "$data/PG_VERSION" ]; then
  if [ "$(slot_state)" = lost ]; then
    pg_receivewal --slot "$slot" --drop-slot
  fi
  pg_receivewal --slot "$slot" --create-slot --if-not-exists
  rm -rf "$data.part"
  pg_basebackup -D "$data.part" --write-recovery-conf --wal-method=stream --checkpoint=fast --slot="$slot"
  # Only a whole copy gets the name.
  mv "$data.part" "$data"
fi

# A copy of an earlier version has the password itself.
sed -i "/^primary_conninfo/ s|password=[^ ]* |passfile=$PGPASSFILE |" "$data/postgresql.auto.conf"

# A crash may have left the lock file of a process that another namespace cannot see; the lock above is ours.
rm -f "$data/postmaster.pid"

echo 'host all all all scram-sha-256' >/data/pg_hba.conf
