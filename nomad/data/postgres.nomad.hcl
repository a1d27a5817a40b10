# The primary database, for a cluster without a managed Postgres. The prestart task makes the database cluster, the
# database "prosaas" and its roles: prosaas owns it, services log in as prosaas_app, shards as prosaas_shards, a
# replica as prosaas_replication. nomad/tasks/postgres-passwords.ctmpl reads their passwords in nomad/jobs/postgres.

variable "data_pool" { default = "default" }    # the nodes that may hold it
variable "host_network" { default = "default" } # of the client; its address is what tasks listen on
variable "postgres_bin" { default = "/usr/lib/postgresql/15/bin" }
variable "postgres_port" { default = 5432 }
variable "max_connections" { default = 100 }                  # of pgbouncer (40), batch jobs, listeners and people
variable "memory" { default = { reserve = 512, max = 2048 } } # MB: shared_buffers a quarter, cached plans 17 a month

job "postgres" {
  node_pool = var.data_pool
  priority  = 90 # everything waits for it

  group "postgres" { # one allocation: the primary
    network {
      port "db" {
        static       = var.postgres_port
        host_network = var.host_network
      }
    }
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    volume "data" {
      type            = "host"
      source          = "postgres-data"
      access_mode     = "single-node-single-writer"
      attachment_mode = "file-system"
    }
    update {
      min_healthy_time = "5s" # clients would have found it dead by then
      healthy_deadline = "2m" # recovery after a crash takes seconds
    }
    disconnect { # a node that is cut off keeps its primary: no other node has the data
      replace    = false
      lost_after = "6h" # longer than any repair
    }
    restart { # here, without end, at most 20 times a minute: its data is on this node
      attempts = 20
      interval = "1m"
      delay    = "1s" # clients retry for seconds
      mode     = "delay"
    }
    reschedule {
      delay          = "5s" # Nomad's least: what no restart repairs gets a new allocation at once
      delay_function = "constant"
    }

    service {
      name = "postgres"
      port = "db"
      check {
        name     = "accepts connections"
        type     = "tcp" # a script check kills the task after a restart of the agent
        interval = "2s"  # a server that is gone is noticed within that
        timeout  = "2s"  # it answers within milliseconds
      }
    }

    task "init" {
      driver = "exec"
      user   = "nobody"
      lifecycle { hook = "prestart" }
      config {
        command  = "/bin/sh"
        args     = ["/local/init.sh"]
        cap_drop = ["all"]
      }
      dynamic "volume_mount" {
        for_each = ["usr", "data"]
        content {
          volume      = volume_mount.value
          destination = "/${volume_mount.value}"
        }
      }
      env { PATH = "${var.postgres_bin}:/usr/bin" }
      template {
        destination = "local/init.sh"
        data        = file("nomad/tasks/postgres-init.sh")
      }
      template {
        destination          = "secrets/passwords"
        perms                = "0400"
        uid                  = 65534 # of the task
        gid                  = 65534
        error_on_missing_key = true
        change_mode          = "noop" # read at the next start
        data                 = file("nomad/tasks/postgres-passwords.ctmpl")
      }
      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = 128 # MB
        memory_max = 512 # MB: initdb
      }
      logs { max_files = 3 } # of 10 MB each
    }

    task "postgres" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGINT" # fast shutdown: open transactions are rolled back, everything is written
      kill_timeout = "30s"    # a checkpoint of 1 GB (max_wal_size) takes 10 s on a slow disk
      config {
        command  = "/usr/bin/flock" # a second server on the same files would destroy them
        args     = ["-F", "-n", "/data/lock", "${var.postgres_bin}/postgres", "-cconfig_file=/local/postgresql.conf"]
        cap_drop = ["all"]
      }
      dynamic "volume_mount" {
        for_each = ["usr", "data"]
        content {
          volume      = volume_mount.value
          destination = "/${volume_mount.value}"
        }
      }
      env {
        ROLE              = "primary"
        PGDATA            = "/data/main"
        PGBACKREST_CONFIG = "/secrets/pgbackrest.conf"
        MAX_CONNECTIONS   = var.max_connections
        SHARED_BUFFERS_MB = floor(var.memory.max / 4) # a quarter of the memory it may use, as Postgres advises
      }
      template {
        destination = "local/postgresql.conf"
        data        = file("nomad/tasks/postgresql.conf.ctmpl")
      }
      template {
        destination = "secrets/pgbackrest.conf" # of archive_command, and of base backups (scripts/cli/backup)
        perms       = "0400"
        uid         = 65534 # of the task
        gid         = 65534
        data        = file("nomad/tasks/pgbackrest.conf.ctmpl")
        change_mode = "noop" # pgBackRest reads it at each run
      }
      resources {
        cpu        = 300 # MHz, a share and not a limit: the database before its clients
        memory     = var.memory.reserve
        memory_max = var.memory.max
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
