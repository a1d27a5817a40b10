# A streaming replica of the primary, for reads that may lag (DATABASE_URL_READ). The prestart task copies the primary;
# from then on the replica follows it by a slot of its own. Losing it loses nothing: reads go to the primary.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/data/postgres-replica.nomad.hcl
#
# Secrets: replication_password (Nomad variable nomad/jobs/postgres-replica).

variable "postgres_replica_port" {
  description = "Port of the replica."
  type        = number
  default     = 5433

  validation {
    condition     = var.postgres_replica_port >= 1 && var.postgres_replica_port <= 65535
    error_message = "The postgres_replica_port must be from 1 to 65535."
  }
}

variable "postgres_address" {
  description = "host:port of the Postgres primary."
  type        = string

  validation {
    condition     = regex_replace(var.postgres_address, "^[^:/]+:[0-9]+$", "ok") == "ok"
    error_message = "The postgres_address must be host:port."
  }
}

variable "postgres_bin" {
  description = "Folder of the server's programs."
  type        = string
  default     = "/usr/lib/postgresql/15/bin"
}

# As the primary's: a replica with fewer does not start.
variable "postgres_max_connections" {
  description = "Connections of pgbouncer, migrate, indexer, listeners and people together."
  type        = number
  default     = 100

  validation {
    condition     = var.postgres_max_connections >= 10 && var.postgres_max_connections <= 1000
    error_message = "The postgres_max_connections must be from 10 to 1000."
  }
}

variable "postgres_replica_memory" {
  description = "MB of memory reserved for each allocation."
  type        = number
  default     = 256
}

variable "postgres_replica_memory_max" {
  description = "MB an allocation may grow to before it is killed."
  type        = number
  default     = 1024
}

job "postgres-replica" {
  type = "service"

  group "replica" {
    count = 1 # one volume and one slot; another replica is another job

    network {
      mode = "host"
      port "db" {
        static = var.postgres_replica_port
      }
    }

    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }

    volume "data" {
      type            = "host"
      source          = "postgres-replica-data"
      access_mode     = "single-node-single-writer"
      attachment_mode = "file-system"
    }

    # One process owns the data and the port: the old one ends before the new one starts.
    update {
      max_parallel      = 1
      health_check      = "checks"
      min_healthy_time  = "5s"
      healthy_deadline  = "10m" # copying a big primary takes minutes
      progress_deadline = "15m"
    }

    # Its data is on this node: it is restarted here for ever, at most 20 times a minute.
    restart {
      attempts = 20
      interval = "1m"
      delay    = "1s"
      mode     = "delay"
    }

    # Only what even a restart cannot mend gets here: a new allocation, at once.
    reschedule {
      delay          = "5s"
      delay_function = "constant"
      unlimited      = true
    }

    ephemeral_disk {
      size = 150 # MB: log files of two tasks
    }

    service {
      name     = "postgres-replica"
      port     = "db"
      provider = "consul"

      # TCP and not a script: Nomad runs scripts through the task's executor, and doing that after a
      # restart of the agent kills the task.
      check {
        name     = "accepts connections"
        type     = "tcp"
        interval = "2s"
        timeout  = "2s"
      }
    }

    task "copy" {
      driver = "exec"
      user   = "nobody"

      lifecycle {
        hook    = "prestart"
        sidecar = false
      }

      config {
        command  = "/bin/sh"
        args     = ["/local/copy.sh"]
        cap_drop = ["all"]
      }

      volume_mount {
        volume      = "usr"
        destination = "/usr"
        read_only   = true
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      env {
        PATH   = "${var.postgres_bin}:/usr/bin"
        PGHOST = split(":", var.postgres_address)[0]
        PGPORT = split(":", var.postgres_address)[1]
        PGUSER = "prosaas_replication"
      }

      template {
        destination = "local/copy.sh"
        data        = file("nomad/tasks/postgres-replica.sh")
        # The script speaks no template language.
        left_delimiter  = "@@{"
        right_delimiter = "}@@"
      }

      template {
        destination          = "secrets/env"
        env                  = true
        perms                = "0400"
        error_on_missing_key = true
        change_mode          = "noop" # read at the next start
        data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/postgres-replica" }}
          PGPASSWORD={{ .replication_password }}
          {{- end }}
        EOT
      }

      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = 64
        memory_max = 256 # MB: pg_basebackup
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }

    task "postgres" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGINT" # fast shutdown
      kill_timeout = "30s"

      # flock holds the volume while the server lives: a second server on the same files would destroy them,
      # and namespaces hide one from the other.
      config {
        command  = "/usr/bin/flock"
        args     = ["--no-fork", "--nonblock", "/data/lock", "${var.postgres_bin}/postgres", "-D", "/data/main", "-c", "config_file=/local/postgresql.conf"]
        cap_drop = ["all"]
      }

      volume_mount {
        volume      = "usr"
        destination = "/usr"
        read_only   = true
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      # Where its primary is and how to log in there is in /data/main/postgresql.auto.conf, which the copy wrote.
      template {
        destination = "local/postgresql.conf"
        change_mode = "restart"
        data        = <<-EOT
          listen_addresses = '{{ env "NOMAD_IP_db" }}'
          port = {{ env "NOMAD_PORT_db" }}
          hba_file = '/local/pg_hba.conf'
          unix_socket_directories = '/tmp'
          max_connections = ${var.postgres_max_connections}

          shared_buffers = ${floor(var.postgres_replica_memory_max / 4)}MB
          # The task's /dev/shm is 64 MB.
          dynamic_shared_memory_type = mmap

          hot_standby = on
          # A query that is in the way of what the primary did waits no longer than this: it is ended, and the
          # service asks the primary. The default of 30 s would be lag for everybody.
          max_standby_streaming_delay = 2s
          # A primary that is gone is noticed soon, and looked for again soon.
          wal_receiver_timeout = 10s
          wal_retrieve_retry_interval = 500ms

          # To compile a plan takes longer than any statement of the services.
          jit = off

          timezone = 'UTC'
          log_timezone = 'UTC'
          # Slower statements are logged, without their parameters: those are messages.
          log_min_duration_statement = 1000
          log_parameter_max_length = 0
          log_parameter_max_length_on_error = 0
        EOT
      }

      template {
        destination = "local/pg_hba.conf"
        change_mode = "restart"
        data        = <<-EOT
          host all all all scram-sha-256
        EOT
      }

      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = var.postgres_replica_memory
        memory_max = var.postgres_replica_memory_max
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
