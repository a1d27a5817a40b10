# Queues, leases and call state, for a cluster without a managed Redis. What it loses, Postgres still has.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/jobs/redis.nomad.hcl
#
# Secrets: password (Nomad variable nomad/jobs/redis).

variable "redis_port" {
  description = "Port of the server."
  type        = number
  default     = 6379

  validation {
    condition     = var.redis_port >= 1 && var.redis_port <= 65535
    error_message = "The redis_port must be from 1 to 65535."
  }
}

variable "host_network" {
  description = "The client's host_network whose address tasks listen on."
  type        = string
  default     = "default"
}

variable "redis_memory" {
  description = "MB of memory reserved for each allocation."
  type        = number
  default     = 128
}

variable "redis_memory_max" {
  description = "MB an allocation may grow to before it is killed."
  type        = number
  default     = 768
}

job "redis" {
  type = "service"

  group "redis" {
    count = 1

    network {
      mode = "host"
      port "db" {
        static       = var.redis_port
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
      source          = "redis-data"
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
      name     = "redis"
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

    task "redis" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "20s" # it writes what it has

      # flock holds the volume while the server lives: a second server on the same files would destroy them,
      # and namespaces hide one from the other.
      config {
        command  = "/usr/bin/flock"
        args     = ["--no-fork", "--nonblock", "/data/lock", "/usr/bin/redis-server", "/secrets/redis.conf"]
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
        destination          = "secrets/redis.conf"
        perms                = "0400"
        change_mode          = "noop" # a deploy rolls the job
        uid                  = 65534  # nobody
        gid                  = 65534
        error_on_missing_key = true
        data                 = <<-EOT
          bind {{ env "NOMAD_IP_db" }}
          port {{ env "NOMAD_PORT_db" }}
          {{- with nomadVar "nomad/jobs/redis" }}
          requirepass {{ .password }}
          {{- end }}
          dir /data
          daemonize no

          # Every write is in the log within a second; no snapshots beside it.
          appendonly yes
          appendfsync everysec
          save ""

          # Two thirds of the task's limit: rewriting the log needs the rest, and above the limit the kernel kills.
          maxmemory ${floor(var.redis_memory_max * 2 / 3)}mb
          # BullMQ's condition: a queue must never be evicted.
          maxmemory-policy noeviction
        EOT
      }

      resources {
        cpu        = 150 # MHz, a share and not a limit
        memory     = var.redis_memory
        memory_max = var.redis_memory_max
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
