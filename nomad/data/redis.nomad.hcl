# Queues, leases and call state, for a cluster without a managed Redis. Postgres still has everything that it loses.
# A template reads shards_password, api_password, workers_password, calls_password, operator_password and password (of
# Redis's user "default", for services of a version without users of their own) in nomad/jobs/redis.
# A managed Redis needs the same users: `nomad job run -output` shows their rules in the template users.acl.

variable "data_pool" { default = "default" }    # the nodes that may hold it
variable "host_network" { default = "default" } # of the client; its address is what tasks listen on
variable "redis_port" { default = 6379 }
variable "memory" { default = { reserve = 128, max = 768 } } # MB: maxmemory is two thirds of it

# True keeps its data on the volume redis-data, which outlives the job and ties it to one node. False keeps it on the
# disk of the node where it runs: it goes along in a drain, and is lost with the node.
variable "redis_volume" { default = false }

# Users by role (ACLs of Redis 7): a password allows what its service does, and no more. Scripts run
# with the rights of the user who calls them.
locals {
  folder = var.redis_volume ? "/data" : "/alloc/data"
  # The queues of lib/queues/definitions.ts, under BullMQ's prefix.
  queue_names = split(" ", "high default receipts receipts_sync low maintenance broadcasts media recordings")
  queues      = join(" ", [for name in local.queue_names : "~prosaas:${name}:*"])
  # The queues that a shard wakes: inbound, receipts, session_events and identities.
  woken_by_shards = ["high", "receipts", "default"]

  # Commands by which a client introduces itself and checks the server.
  connection = "+ping +quit +select +info +time +client|setname +client|info +client|id"
  # All commands on data, without those that look beyond the keys of the user.
  data = join(" ", ["+@string +@hash +@list +@set +@sortedset +@stream +@keyspace +@transaction",
  "-@dangerous -scan -randomkey -dbsize -move -copy"])
  # The commands of BullMQ's script that adds a job, and none that takes a job out of a queue. The script writes plain
  # values and deletes in its deduplication only: de:<id>, and dn:<id> for a wake-up that comes while a job runs.
  adds_jobs = join(" ", ["+exists +get +hget +hmget +hset +hmset +incr +llen +lpush +rpush +lpos +persist +pttl +xadd",
  "+zadd +zrange +zscore +zrevrangebyscore"])
  scripts = "+eval +evalsha +script|load +script|exists" # BullMQ's and ours

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
      "${local.data} ${local.scripts} ${local.queues} ~prosaas:rate:* ~prosaas:{events}:*",
      "%R~prosaas:{calls}:* ~prosaas:{calls}:of:*",
      "(-@all +eval +evalsha ~prosaas:{calls}:active*)",
    ])
    # Runs jobs, under leases, and publishes live events.
    workers = join(" ", ["${local.data} ${local.scripts} ${local.queues}",
    "~prosaas:lease:* ~prosaas:limit-told:* ~prosaas:{events}:*"])
    # State of calls, their live events, and wake-ups for their recordings and webhook deliveries.
    calls = join(" ", [
      "${local.data} ${local.scripts} ~prosaas:{calls}:* ~prosaas:{events}:* ~prosaas:recordings:*",
      "(-@all ${local.adds_jobs} +eval +evalsha ~prosaas:high:*)",
      "(-@all +set +del +pexpire ~prosaas:high:de:* ~prosaas:high:dn:*)",
    ])
  }
}

job "redis" {
  node_pool = var.data_pool
  priority  = 90 # everything waits for it

  group "redis" {
    count = 1 # REDIS_URL names one server
    network {
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
    dynamic "volume" {
      for_each = var.redis_volume ? ["data"] : []
      labels   = [volume.value]
      content {
        type            = "host"
        source          = "redis-data"
        access_mode     = "single-node-single-writer"
        attachment_mode = "file-system"
      }
    }
    ephemeral_disk {
      sticky  = true
      migrate = true
      size    = 2 * var.memory.max # MB: the log while it is rewritten
    }

    # One process owns the data and the port: the old one ends before the new one starts.
    update {
      min_healthy_time = "5s" # clients would have found it dead by then
      healthy_deadline = "2m" # recovery after a crash takes seconds
    }

    # A node that is cut off keeps it for the longest cut that restarts nothing. Then it starts empty on another node:
    # Postgres has everything, and sweeps enqueue what waits.
    disconnect {
      lost_after = "5m"
      replace    = false
      reconcile  = "keep_original"
    }

    # Its data is on this node: it restarts here without end, at most 20 times a minute.
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
      name = "redis"
      port = "db"

      # TCP and not a script: after a restart of the agent, Nomad's way of running scripts kills the task.
      check {
        name     = "accepts connections"
        type     = "tcp"
        interval = "2s" # a server that is gone is noticed within that
        timeout  = "2s" # it answers within milliseconds
      }
    }

    task "redis" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "20s" # it writes its 512 MB to the log

      # flock (-F: no fork, -n: no waiting) holds the volume while the server lives: a second server on the same files
      # would destroy them, and namespaces hide one from the other.
      config {
        command  = "/usr/bin/flock"
        args     = ["-F", "-n", "${local.folder}/lock", "/usr/bin/redis-server", "/local/redis.conf"]
        cap_drop = ["all"]
      }
      volume_mount {
        volume      = "usr"
        destination = "/usr"
      }
      dynamic "volume_mount" {
        for_each = var.redis_volume ? ["data"] : []
        content {
          volume      = volume_mount.value
          destination = local.folder
        }
      }

      # Two thirds of the task's limit: rewriting the log needs the rest, and above the limit the kernel kills.
      env {
        MAXMEMORY_MB = floor(var.memory.max * 2 / 3)
        FOLDER       = local.folder
      }
      template {
        destination = "local/redis.conf"
        data        = file("nomad/tasks/redis.conf.ctmpl")
        change_mode = "noop" # a deploy replaces the allocation
      }

      # Passwords as their SHA-256: Redis takes no other form that needs no escaping.
      template {
        destination          = "secrets/users.acl"
        perms                = "0400"
        uid                  = 65534 # of the task
        gid                  = 65534
        error_on_missing_key = true
        change_mode          = "noop" # as above
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
        memory     = var.memory.reserve
        memory_max = var.memory.max
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
