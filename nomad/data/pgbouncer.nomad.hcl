# The pooler between the services and Postgres, in transaction mode: no prepared statements, no session state. One on
# each node that runs services, on loopback: losing a node loses no other's. A template reads its app_password.

variable "platform_pool" { default = "default" } # the nodes of the services
variable "pgbouncer_port" { default = 6432 }
variable "postgres_address" { default = "postgres.service.consul:5432" }
variable "postgres_tls" { default = "disable" } # server_tls_sslmode: verify-full for a managed server
variable "max_clients" { default = 1000 }       # client connections of a node (`task connections`)
variable "pool_size" { default = 40 }           # server connections of all nodes together: below max_connections

job "pgbouncer" {
  type      = "system"
  node_pool = var.platform_pool
  priority  = 85 # a node's services wait for it

  group "pgbouncer" {
    network {
      port "db" {
        static       = var.pgbouncer_port
        host_network = "loopback" # DATABASE_URL_POOLER names 127.0.0.1
      }
    }
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    update {
      min_healthy_time = "5s" # clients would have found it dead by then
      healthy_deadline = "2m" # recovery after a crash takes seconds
    }
    restart { # here, without end, at most 20 times a minute: clients know one address
      attempts = 20
      interval = "1m"
      delay    = "250ms" # clients retry for seconds
      mode     = "delay"
    }
    disconnect { lost_after = "6h" } # a node that is cut off keeps it, as its services do

    service {
      name = "pgbouncer"
      port = "db"
      check {
        name     = "accepts connections"
        type     = "tcp" # a script check kills the task after a restart of the agent
        interval = "2s"  # a server that is gone is noticed within that
        timeout  = "2s"  # it answers within milliseconds
      }
    }

    task "pgbouncer" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGINT" # transactions in flight are finished
      kill_timeout = "15s"    # above the time limit of a request
      consul {}               # a token under consul/policies/pgbouncer.hcl, in CONSUL_HTTP_TOKEN
      config {
        command = "/bin/sh"
        args = ["/local/reload.sh", "/local/pgbouncer.ini", "/secrets/users", # what it reads again
        "--", "/usr/sbin/pgbouncer", "/local/pgbouncer.ini"]
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
        destination = "local/pgbouncer.ini"
        data        = file("nomad/tasks/pgbouncer.ini.ctmpl")
        change_mode = "noop" # reload.sh follows it
      }
      template {
        destination = "secrets/users"
        data        = file("nomad/tasks/pgbouncer-users.ctmpl")
        perms       = "0400"
        uid         = 65534 # of the task
        gid         = 65534
        change_mode = "noop" # as above
      }
      template {
        destination = "local/reload.sh"
        data        = file("nomad/tasks/reload.sh")
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
