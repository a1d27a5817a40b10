# The connection pooler between the services and Postgres, in transaction mode: no prepared statements, no
# session state. Stateless; more than one needs a port each.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/data/pgbouncer.nomad.hcl
#
# Secrets: app_password (Nomad variable nomad/jobs/pgbouncer).

variable "pgbouncer_port" {
  description = "Port of the pooler."
  type        = number
  default     = 6432

  validation {
    condition     = var.pgbouncer_port >= 1 && var.pgbouncer_port <= 65535
    error_message = "The pgbouncer_port must be from 1 to 65535."
  }
}

variable "host_network" {
  description = "The client's host_network whose address tasks listen on."
  type        = string
  default     = "default"
}

variable "postgres_address" {
  description = "host:port of the Postgres primary."
  type        = string

  validation {
    condition     = regex_replace(var.postgres_address, "^[^:/]+:[0-9]+$", "ok") == "ok"
    error_message = "The postgres_address must be host:port."
  }
}

variable "postgres_tls" {
  description = "How the pooler speaks to Postgres: disable, prefer, require, verify-ca or verify-full."
  type        = string
  default     = "disable"

  validation {
    condition     = contains(["disable", "prefer", "require", "verify-ca", "verify-full"], var.postgres_tls)
    error_message = "The postgres_tls must be disable, prefer, require, verify-ca or verify-full."
  }
}

variable "pgbouncer_pool_size" {
  description = "Server connections; must stay below Postgres' max_connections."
  type        = number
  default     = 40

  validation {
    condition     = var.pgbouncer_pool_size >= 1 && var.pgbouncer_pool_size <= 1000
    error_message = "The pgbouncer_pool_size must be from 1 to 1000."
  }
}

variable "pgbouncer_max_clients" {
  description = "Client connections of all services together."
  type        = number
  default     = 1000

  validation {
    condition     = var.pgbouncer_max_clients >= 10 && var.pgbouncer_max_clients <= 20000
    error_message = "The pgbouncer_max_clients must be from 10 to 20000."
  }
}

job "pgbouncer" {
  type = "service"

  group "pgbouncer" {
    count = 1

    network {
      mode = "host"
      port "db" {
        static       = var.pgbouncer_port
        host_network = var.host_network
      }
    }

    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }

    # One process owns the port: the old one ends before the new one starts.
    update {
      max_parallel      = 1
      health_check      = "checks"
      min_healthy_time  = "5s"
      healthy_deadline  = "2m"
      progress_deadline = "5m"
    }

    # Clients know one address: it is restarted here for ever, at most 20 times a minute.
    restart {
      attempts = 20
      interval = "1m"
      delay    = "250ms"
      mode     = "delay"
    }

    # Only what even a restart cannot mend gets here: a new allocation, at once.
    reschedule {
      delay          = "5s"
      delay_function = "constant"
      unlimited      = true
    }

    ephemeral_disk {
      size = 100 # MB: log files
    }

    service {
      name     = "pgbouncer"
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

    task "pgbouncer" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGINT" # transactions in hand are finished
      kill_timeout = "15s"

      config {
        command  = "/usr/sbin/pgbouncer"
        args     = ["/local/pgbouncer.ini"]
        cap_drop = ["all"]
      }

      volume_mount {
        volume      = "usr"
        destination = "/usr"
        read_only   = true
      }

      template {
        destination   = "local/pgbouncer.ini"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-EOT
          [databases]
          prosaas = host=${split(":", var.postgres_address)[0]} port=${split(":", var.postgres_address)[1]} dbname=prosaas

          [pgbouncer]
          listen_addr = {{ env "NOMAD_IP_db" }}
          listen_port = {{ env "NOMAD_PORT_db" }}
          unix_socket_dir =
          auth_type = scram-sha-256
          auth_file = /secrets/users
          stats_users = prosaas_app
          server_tls_sslmode = ${var.postgres_tls}

          pool_mode = transaction
          max_client_conn = ${var.pgbouncer_max_clients}
          default_pool_size = ${var.pgbouncer_pool_size}
          max_db_connections = ${var.pgbouncer_pool_size}

          # Seconds. A client waits for a server this long and then gets an error, which services answer with 503.
          query_wait_timeout = 5
          server_connect_timeout = 5
          # A server that was away is tried again soon: the default of 15 makes an outage that much longer.
          server_login_retry = 1
          # Sent by drivers, meaningless to a pool.
          ignore_startup_parameters = extra_float_digits

          log_connections = 0
          log_disconnections = 0
        EOT
      }

      template {
        destination          = "secrets/users"
        perms                = "0400"
        uid                  = 65534 # nobody
        gid                  = 65534
        error_on_missing_key = true
        change_mode          = "signal"
        change_signal        = "SIGHUP"
        data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/pgbouncer" }}
          "prosaas_app" "{{ .app_password }}"
          {{- end }}
        EOT
      }

      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = 32
        memory_max = 128 # MB: about 2 kB a client and 50 kB a busy connection
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
