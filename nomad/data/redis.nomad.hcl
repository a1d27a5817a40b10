# Queues, leases and call state, for a cluster without a managed Redis. What it loses, Postgres still has.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/data/redis.nomad.hcl
#
# Secrets: shards_password, api_password, workers_password, calls_password, operator_password [, password: of the user
# "default", for services of a version without users of their own] (Nomad variable nomad/jobs/redis).
#
# A managed Redis needs the same users: `nomad job run -output` shows their rules in the template users.acl.

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

# Users by role (ACLs of Redis 7): what a service never does, its password does not allow. Scripts run with the rights of
# the user who calls them.
locals {
  # The queues of lib/queues/definitions.ts, under BullMQ's prefix.
  queue_names = ["high", "default", "receipts", "receipts_sync", "low", "maintenance", "broadcasts", "media", "recordings"]
  queues      = join(" ", [for name in local.queue_names : "~prosaas:${name}:*"])
  # The queues that a shard wakes: inbound, receipts and session_events.
  woken_by_shards = ["high", "receipts", "default"]

  # What a client of Redis says about itself, and asks before it works.
  connection = "+ping +quit +select +info +time +client|setname +client|info +client|id"
  # All commands on data, without those that look beyond the keys of the user.
  data = "+@string +@hash +@list +@set +@sortedset +@stream +@keyspace +@transaction -@dangerous -scan -randomkey -dbsize -move -copy"
  # What BullMQ's script for adding a job does, and nothing that takes a job out of a queue. It writes plain values and
  # deletes in its deduplication only: de:<id>, and dn:<id> for the wake-up that comes while a job runs.
  adds_jobs = "+exists +get +hget +hmget +hset +hmset +incr +llen +lpush +rpush +lpos +persist +pttl +xadd +zadd +zrange +zscore +zrevrangebyscore"
  # BullMQ's scripts and ours.
  scripts = "+eval +evalsha +script|load +script|exists"

  users = {
    shards = join(" ", concat(
      [local.adds_jobs, "+lrange", local.scripts],
      [for name in local.woken_by_shards : "~prosaas:${name}:*"],
      [for name in local.woken_by_shards : "(-@all +set +del +pexpire ~prosaas:${name}:de:* ~prosaas:${name}:dn:*)"],
    ))
    # Wakes jobs, lists and replays dead letters, counts requests, reads live events and calls. Removes calls that are
    # over from a business's list. A script must be allowed to write to the keys it names, also where it only counts
    # them; what it calls is refused all the same.
    api = join(" ", [
      "${local.data} ${local.scripts} ${local.queues} ~prosaas:rate:* ~prosaas:{events}:* %R~prosaas:{calls}:* ~prosaas:{calls}:of:*",
      "(-@all +eval +evalsha ~prosaas:{calls}:active*)",
    ])
    # Runs jobs, under leases, and publishes live events.
    workers = "${local.data} ${local.scripts} ${local.queues} ~prosaas:lease:* ~prosaas:limit-told:* ~prosaas:{events}:*"
    # State of calls, their live events, and wake-ups for their recordings and webhook deliveries.
    calls = join(" ", [
      "${local.data} ${local.scripts} ~prosaas:{calls}:* ~prosaas:{events}:* ~prosaas:recordings:*",
      "(-@all ${local.adds_jobs} +eval +evalsha ~prosaas:high:*)",
      "(-@all +set +del +pexpire ~prosaas:high:de:* ~prosaas:high:dn:*)",
    ])
  }
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
          aclfile /secrets/users.acl
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

      # Passwords as their SHA-256: Redis takes no other form that needs no escaping.
      template {
        destination          = "secrets/users.acl"
        perms                = "0400"
        change_mode          = "noop" # a deploy rolls the job
        uid                  = 65534  # nobody
        gid                  = 65534
        error_on_missing_key = true
        data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/redis" }}
          {{- with print (index . "password") }}
          user default on #{{ sha256Hex . }} ~* &* +@all
          {{- else }}
          user default off
          {{- end }}
          %{for name, rules in local.users~}
          user ${name} on #{{ print .${name}_password | sha256Hex }} resetchannels -@all ${rules} ${local.connection}
          %{endfor~}
          user operator on #{{ print .operator_password | sha256Hex }} ~* &* +@all
          {{- end }}
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
