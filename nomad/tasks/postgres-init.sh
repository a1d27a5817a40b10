#!/bin/sh
# Runs before the server, as its user: makes the database cluster in /data/main if there is none, or restores it from a
# backup, and gives the roles the passwords in /secrets/passwords (lines of role=password). Safe to run again and again.
set -eu
umask 077

data=/data/main
passwords=/secrets/passwords

exec 9>/data/lock
flock --nonblock 9 || {
  echo "another server still has this volume" >&2
  exit 1
}

# Options of pgBackRest, which takes them from the environment.
while IFS= read -r option; do
  [ -z "$option" ] || export "$option"
done <<OPTIONS
$(grep '^PGBACKREST_' "$passwords" || true)
OPTIONS

export PGBACKREST_CONFIG=/dev/null PGBACKREST_LOG_LEVEL_FILE=off
export PGBACKREST_LOCK_PATH=/tmp PGBACKREST_SPOOL_PATH=/tmp

# The log of single-user mode belongs to the archive, too: a segment that is never marked for it is a gap, which ends
# every later restore there.
archive=off
[ -z "${PGBACKREST_REPO1_PATH:-}" ] || archive=on

# A role's password as an SQL literal.
literal() { sed -n "s/^$1=//p" "$passwords" | sed "s/'/''/g; s/.*/'&'/"; }

# single_user FOLDER [DATABASE]: SQL from stdin, one statement a line. Single-user mode exits 0 after an error, so the
# log is read; statements stay out of it, because they carry passwords.
single_user() {
  if ! postgres --single -D "$1" -c log_min_error_statement=panic -c dynamic_shared_memory_type=mmap \
    -c archive_mode=$archive -c exit_on_error=on "${2:-postgres}" >/tmp/single.out 2>/tmp/single.err ||
    grep -Eq 'ERROR|FATAL|PANIC' /tmp/single.err; then
    cat /tmp/single.err >&2
    exit 1
  fi
}

# `task restore:backup` names a base backup, and the point at which the replay of the log ends. A restore that was
# interrupted begins again; one that ended is never repeated.
wanted=$(sed -n 's/^restore_target=//p' "$passwords")
if [ -n "$wanted" ] && [ "$wanted" != "$(cat /data/restored 2>/dev/null)" ]; then
  if [ ! -e /data/restoring ]; then
    if [ -e "$data" ]; then
      [ ! -e "$data.before" ] || {
        echo "$data.before has the data from before an earlier restore: move or delete it first" >&2
        exit 1
      }
      mv "$data" "$data.before"
    fi
    touch /data/restoring
  fi
  rm -rf "$data"
  mkdir -m 700 "$data"
  echo "restoring $wanted"
  read -r set type target <<WANTED
$wanted
WANTED
  pgbackrest --stanza=prosaas --pg1-path="$data" --log-level-console=info --set="$set" --type="$type" \
    ${target:+"--target=$target" --target-action=promote} restore
  # Replays the log up to the target, and begins a new timeline.
  single_user "$data" <<SQL
SELECT 1
SQL
  [ ! -e "$data/recovery.signal" ] || {
    cat /tmp/single.err >&2
    exit 1
  }
  # A replica copies this file, and would end its own recovery at the target.
  sed -i -E '/^(restore_command|recovery_target[a-z_]*) *=/d' "$data/postgresql.auto.conf"
  printf '%s' "$wanted" >/data/restored
  rm -f /data/restoring
fi

if [ -s "$data/PG_VERSION" ]; then
  have=$(cat "$data/PG_VERSION")
  runs=$(postgres --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
  [ "$have" = "$runs" ] || {
    echo "the data is Postgres $have's and the server is version $runs: set postgres_bin, or pg_upgrade first" >&2
    exit 1
  }
  # A crash may have left the lock file of a process that another namespace cannot see; the lock above is ours.
  rm -f "$data/postmaster.pid"
else
  rm -rf "$data.part"
  sed -n 's/^postgres=//p' "$passwords" >/tmp/superuser
  initdb -D "$data.part" --username=postgres --pwfile=/tmp/superuser --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --data-checksums --no-instructions
  rm -f /tmp/superuser
  single_user "$data.part" <<'SQL'
CREATE ROLE prosaas LOGIN
CREATE ROLE prosaas_app LOGIN
CREATE DATABASE prosaas OWNER prosaas
REVOKE ALL ON DATABASE prosaas FROM PUBLIC
GRANT CONNECT, TEMPORARY ON DATABASE prosaas TO prosaas_app
SQL
  # Only a whole cluster gets the name.
  mv "$data.part" "$data"
fi

# Nothing but this server's own task reaches its socket: base backups run there.
cat >/data/pg_hba.conf <<HBA
local all postgres trust
host all all all scram-sha-256
host replication all all scram-sha-256
HBA

# A cluster from before there were replicas, or copies of shards, has no roles for them.
ensure() {
  echo "DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ''$1'') THEN CREATE ROLE $1; END IF; END'"
}
# The second login of a role, which a rotation of its password goes to (scripts/cli/secrets/live_postgres.ts).
other() {
  grep -q "^$1_b=" "$passwords" || return 0
  ensure "$1_b"
  echo "GRANT $1 TO $1_b"
  echo "ALTER ROLE $1_b SET role = '$1'"
  echo "ALTER ROLE $1_b LOGIN PASSWORD $(literal "$1_b")"
}
shards=
if grep -q '^prosaas_shards=' "$passwords"; then
  shards="ALTER ROLE prosaas_shards LOGIN PASSWORD $(literal prosaas_shards)"
fi
single_user "$data" <<SQL
$(ensure prosaas_replication)
$(ensure prosaas_shards)
ALTER ROLE prosaas_replication LOGIN REPLICATION
GRANT CONNECT ON DATABASE prosaas TO prosaas_shards
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC
${shards:-SELECT}
ALTER ROLE postgres PASSWORD $(literal postgres)
ALTER ROLE prosaas PASSWORD $(literal prosaas)
ALTER ROLE prosaas_app PASSWORD $(literal prosaas_app)
ALTER ROLE prosaas_replication PASSWORD $(literal prosaas_replication)
$(other prosaas_app)
$(other prosaas_shards)
SQL

# As in lib/db/migrations/advisory_locks.ts: only a superuser may revoke them, and the owner is none.
single_user "$data" prosaas <<'SQL'
DO $$ DECLARE name regprocedure; \
BEGIN \
  FOR name IN SELECT oid FROM pg_proc \
    WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_(try_)?advisory_' \
  LOOP \
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO prosaas, prosaas_app', name); \
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name); \
  END LOOP; \
END $$
SQL
