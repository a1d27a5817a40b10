# The pooler between the services and Postgres, in transaction mode: no prepared statements, no session state.
# Stateless; more than one needs a port each. A template reads app_password in nomad/jobs/pgbouncer.

variable "host_network" { default = "default" } # of the client; its address is what tasks listen on
variable "pgbouncer_port" { default = 6432 }
variable "postgres_address" { default = "127.0.0.1:5432" } # of the primary
variable "postgres_tls" { default = "disable" }            # server_tls_sslmode: verify-full for a managed server
variable "pool_size" { default = 40 }                      # server connections: below max_connections of Postgres
variable "max_clients" { default = 1000 }                  # client connections of all services (`task connections`)

job "pgbouncer" {
  group "pgbouncer" {
    count = 1 # DATABASE_URL_POOLER names one address
    network {
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
      min_healthy_time = "5s" # clients would have found it dead by then
      healthy_deadline = "2m" # recovery after a crash takes seconds
    }

    # Clients know one address: it restarts here without end, at most 20 times a minute.
    restart {
      attempts = 20
      interval = "1m"
      delay    = "250ms" # clients retry for seconds
      mode     = "delay"
    }
    reschedule {
      delay          = "5s" # Nomad's least: what no restart repairs gets a new allocation at once
      delay_function = "constant"
      unlimited      = true
    }

    service {
      name = "pgbouncer"
      port = "db"

      # TCP and not a script: after a restart of the agent, Nomad's way of running scripts kills the task.
      check {
        name     = "accepts connections"
        type     = "tcp"
        interval = "2s" # a server that is gone is noticed within that
        timeout  = "2s" # it answers within milliseconds
      }
    }

    task "pgbouncer" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGINT" # transactions in flight are finished
      kill_timeout = "15s"    # above the time limit of a request

      config {
        command  = "/usr/sbin/pgbouncer"
        args     = ["/local/pgbouncer.ini"]
        cap_drop = ["all"]
      }
      volume_mount {
        volume      = "usr"
        destination = "/usr"
      }
      env {
        POSTGRES_HOST = split(":", var.postgres_address)[0]
        POSTGRES_PORT = split(":", var.postgres_address)[1]
        POSTGRES_TLS  = var.postgres_tls
        POOL_SIZE     = var.pool_size
        MAX_CLIENTS   = var.max_clients
      }
      template {
        destination   = "local/pgbouncer.ini"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = file("nomad/tasks/pgbouncer.ini.ctmpl")
      }
      template {
        destination   = "secrets/users"
        data          = "{{ with nomadVar \"nomad/jobs/pgbouncer\" }}\"prosaas_app\" \"{{ .app_password }}\"{{ end }}"
        perms         = "0400"
        uid           = 65534 # of the task
        gid           = 65534
        change_mode   = "signal"
        change_signal = "SIGHUP"
      }
      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = 32  # MB
        memory_max = 128 # MB: about 2 kB a client and 50 kB a busy connection
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
