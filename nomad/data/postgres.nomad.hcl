# The primary database, for a cluster without a managed Postgres. The prestart task makes the database cluster,
# the database "prosaas" and its roles: prosaas owns it, prosaas_app is what the services log in as,
# prosaas_replication what a replica does.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/data/postgres.nomad.hcl
#
# Secrets: superuser_password, owner_password, app_password, replication_password (Nomad variable nomad/jobs/postgres).

variable "postgres_port" {
  description = "Port of the server."
  type        = number
  default     = 5432

  validation {
    condition     = var.postgres_port >= 1 && var.postgres_port <= 65535
    error_message = "The postgres_port must be from 1 to 65535."
  }
}

variable "postgres_bin" {
  description = "Folder of the server's programs."
  type        = string
  default     = "/usr/lib/postgresql/15/bin"
}

variable "postgres_max_connections" {
  description = "Connections of pgbouncer, migrate, indexer, listeners and people together."
  type        = number
  default     = 100

  validation {
    condition     = var.postgres_max_connections >= 10 && var.postgres_max_connections <= 1000
    error_message = "The postgres_max_connections must be from 10 to 1000."
  }
}

variable "host_network" {
  description = "The client's host_network whose address tasks listen on."
  type        = string
  default     = "default"
}

variable "postgres_memory" {
  description = "MB of memory reserved for each allocation."
  type        = number
  default     = 512
}

variable "postgres_memory_max" {
  description = "MB an allocation may grow to before it is killed."
  type        = number
  default     = 2048
}

job "postgres" {
  type = "service"

  group "postgres" {
    count = 1 # the primary

    network {
      mode = "host"
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

    # One process owns the data and the port: the old one ends before the new one starts.
    update {
      max_parallel      = 1
      health_check      = "checks"
      min_healthy_time  = "5s"
      healthy_deadline  = "2m"
      progress_deadline = "5m"
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
      name     = "postgres"
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

    task "init" {
      driver = "exec"
      user   = "nobody"

      lifecycle {
        hook    = "prestart"
        sidecar = false
      }

      config {
        command  = "/bin/sh"
        args     = ["/local/init.sh"]
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
        PATH = "${var.postgres_bin}:/usr/bin"
      }

      template {
        destination = "local/init.sh"
        data        = file("nomad/tasks/postgres-init.sh")
        # The script speaks no template language.
        left_delimiter  = "@@{"
        right_delimiter = "}@@"
      }

      template {
        destination          = "secrets/passwords"
        perms                = "0400"
        uid                  = 65534 # nobody
        gid                  = 65534
        error_on_missing_key = true
        change_mode          = "noop" # read at the next start
        data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/postgres" }}
          postgres={{ .superuser_password }}
          prosaas={{ .owner_password }}
          prosaas_app={{ .app_password }}
          prosaas_replication={{ .replication_password }}
          {{- end }}
        EOT
      }

      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = 128
        memory_max = 512 # MB: initdb
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }

    task "postgres" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGINT" # fast shutdown: open transactions are rolled back, everything is written
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

      template {
        destination = "local/postgresql.conf"
        change_mode = "restart"
        data        = <<-EOT
          listen_addresses = '{{ env "NOMAD_IP_db" }}'
          port = {{ env "NOMAD_PORT_db" }}
          hba_file = '/local/pg_hba.conf'
          unix_socket_directories = '/tmp'
          max_connections = ${var.postgres_max_connections}

          # A quarter of the memory it may use, as Postgres advises.
          shared_buffers = ${floor(var.postgres_memory_max / 4)}MB
          # The task's /dev/shm is 64 MB.
          dynamic_shared_memory_type = mmap

          # A streaming replica follows (postgres-replica.nomad.hcl). One that stays away is given up before the log
          # that waits for it fills the disk; it copies anew then.
          wal_level = replica
          max_slot_wal_keep_size = 2GB
          wal_compression = on
          max_wal_size = 1GB

          # To compile a plan takes longer than any statement of the services.
          jit = off

          timezone = 'UTC'
          log_timezone = 'UTC'
          # Slower statements are logged, without their parameters: those are messages.
          log_min_duration_statement = 1000
          log_parameter_max_length = 0
          log_parameter_max_length_on_error = 0
          idle_in_transaction_session_timeout = 60s
        EOT
      }

      template {
        destination = "local/pg_hba.conf"
        change_mode = "restart"
        data        = <<-EOT
          host all         all all scram-sha-256
          host replication all all scram-sha-256
        EOT
      }

      resources {
        cpu        = 300 # MHz, a share and not a limit: the database before its clients
        memory     = var.postgres_memory
        memory_max = var.postgres_memory_max
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
