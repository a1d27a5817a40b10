# A streaming replica of the primary, for reads that may lag (DATABASE_URL_READ). The prestart task copies the primary;
# from then on the replica follows it by a slot of its own. A template reads its replication_password.

variable "data_pool" { default = "default" }    # the nodes that may hold it
variable "host_network" { default = "default" } # of the client; its address is what tasks listen on
variable "postgres_bin" { default = "/usr/lib/postgresql/15/bin" }
variable "postgres_replica_port" { default = 5433 }
variable "postgres_address" { default = "postgres.service.consul:5432" }
variable "max_connections" { default = 100 }                  # as the primary's: a replica with fewer does not start
variable "memory" { default = { reserve = 256, max = 1024 } } # MB: Postgres recommends a quarter for shared_buffers

job "postgres-replica" {
  node_pool = var.data_pool
  priority  = 50 # reads go to the primary without it

  group "replica" { # one allocation, for one volume and one slot: another replica is another job
    network {
      port "db" {
        static       = var.postgres_replica_port
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
      source          = "postgres-replica-data"
      access_mode     = "single-node-single-writer"
      attachment_mode = "file-system"
    }
    update {
      min_healthy_time  = "5s"  # clients would have found it dead by then
      healthy_deadline  = "10m" # copying a big primary takes minutes
      progress_deadline = "15m" # one copy and some
    }
    disconnect { # a node that is cut off keeps its copy, which catches up when the node is back
      replace    = false
      lost_after = "6h" # longer than any repair
    }
    restart { # here, without end, at most 20 times a minute: its copy is on this node
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
      name = "postgres-replica"
      port = "db"
      check {
        name     = "accepts connections"
        type     = "tcp" # a script check kills the task after a restart of the agent
        interval = "2s"  # a server that is gone is noticed within that
        timeout  = "2s"  # it answers within milliseconds
      }
    }

    task "copy" {
      driver = "exec"
      user   = "nobody"
      lifecycle { hook = "prestart" }
      consul {} # a token under consul/policies/postgres-replica.hcl, in CONSUL_HTTP_TOKEN
      config {
        command  = "/bin/sh"
        args     = ["/local/copy.sh"]
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
        PATH   = "${var.postgres_bin}:/usr/bin"
        PGHOST = split(":", var.postgres_address)[0]
        PGPORT = split(":", var.postgres_address)[1]
        PGUSER = "prosaas_replication"
        HOSTS  = "postgres"
      }
      template {
        destination = "etc/hosts"
        data        = file("nomad/tasks/hosts.ctmpl")
        change_mode = "noop" # read at each connection
      }
      template {
        destination = "local/copy.sh"
        data        = file("nomad/tasks/postgres-replica.sh")
      }
      template {
        destination = "secrets/env"
        env         = true
        perms       = "0400"
        data        = <<-EOT
          PGPASSWORD={{ with nomadVar "nomad/jobs/postgres-replica" }}{{ .replication_password }}{{ end }}
        EOT
        change_mode = "noop" # read at the next start
      }
      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = 64  # MB
        memory_max = 256 # MB: pg_basebackup
      }
      logs { max_files = 3 } # of 10 MB each
    }

    task "postgres" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGINT" # fast shutdown
      kill_timeout = "30s"    # as the primary's
      consul {}               # as above
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
        ROLE              = "replica"
        HOSTS             = "postgres"
        PGDATA            = "/data/main"
        MAX_CONNECTIONS   = var.max_connections
        SHARED_BUFFERS_MB = floor(var.memory.max / 4) # a quarter of the memory it may use, as Postgres advises
      }
      template {
        destination = "etc/hosts"
        data        = file("nomad/tasks/hosts.ctmpl")
        change_mode = "noop" # read at each connection
      }
      template {
        destination = "local/postgresql.conf" # the copy wrote its primary into /data/main/postgresql.auto.conf
        data        = file("nomad/tasks/postgresql.conf.ctmpl")
      }
      resources {
        cpu        = 100 # MHz, a share and not a limit: what counts is the ratio to the other tasks
        memory     = var.memory.reserve
        memory_max = var.memory.max
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
