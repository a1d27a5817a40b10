# Queues, leases and call state, unless Redis is managed. Postgres has all that it loses. nomad/jobs/redis has passwords
# of the users in nomad/tasks/redis-users.yaml, operator_password, and password for the former user "default".

variable "data_pool" { default = "default" }    # the nodes that may hold it
variable "host_network" { default = "default" } # of the client; its address is what tasks listen on
variable "redis_port" { default = 6379 }
variable "memory" { default = { reserve = 128, max = 768 } } # MB: maxmemory is two thirds of it

# True keeps its data on the volume redis-data, which outlives the job and ties it to one node. False keeps it on the
# disk of the node where it runs: it goes along in a drain, and is lost with the node.
variable "redis_volume" { default = false }

locals {
  folder = var.redis_volume ? "/data" : "/alloc/data"
  users  = yamldecode(file("nomad/tasks/redis-users.yaml")).users # by name: lists of ACL rules
}

job "redis" {
  node_pool = var.data_pool
  priority  = 90 # everything waits for it

  group "redis" { # one allocation: REDIS_URL names one server
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
    update {
      min_healthy_time = "5s" # clients would have found it dead by then
      healthy_deadline = "2m" # recovery after a crash takes seconds
    }
    # A node that is cut off keeps it for the longest cut that restarts nothing. Then it starts empty on another node:
    # Postgres has everything, and sweeps enqueue what waits.
    disconnect {
      lost_after = "5m"
      replace    = false
    }
    restart { # here, without end, at most 20 times a minute: its data is on this node
      attempts = 20
      interval = "1m"
      delay    = "250ms" # clients retry for seconds
      mode     = "delay"
    }
    reschedule {
      delay          = "5s" # Nomad's least: what no restart repairs gets a new allocation at once
      delay_function = "constant"
    }

    service {
      name = "redis"
      port = "db"
      check {
        name     = "accepts connections"
        type     = "tcp" # a script check kills the task after a restart of the agent
        interval = "2s"  # a server that is gone is noticed within that
        timeout  = "2s"  # it answers within milliseconds
      }
    }

    task "redis" {
      driver       = "exec"
      user         = "nobody"
      kill_timeout = "20s" # it writes its 512 MB to the log
      config {
        command  = "/usr/bin/flock" # a second server on the same files would destroy them
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
      env {
        MAXMEMORY_MB = floor(var.memory.max * 2 / 3) # rewriting the log needs the rest of the limit
        FOLDER       = local.folder
      }
      template {
        destination = "local/redis.conf"
        data        = file("nomad/tasks/redis.conf.ctmpl")
        change_mode = "noop" # a deploy replaces the allocation
      }
      template {
        destination          = "secrets/users.acl" # SHA-256 is the only form of a password that needs no escaping
        perms                = "0400"
        uid                  = 65534 # of the task
        gid                  = 65534
        error_on_missing_key = true
        change_mode          = "noop" # as above
        data                 = <<-EOT
          {{- define "hashes" }}{{ range print . | split "," }} #{{ sha256Hex . }}{{ end }}{{ end }}
          {{- with nomadVar "nomad/jobs/redis" }}
          {{- with print (index . "password") }}
          user default on #{{ sha256Hex . }} ~* &* +@all
          {{- else }}
          user default off
          {{- end }}
          %{for name, rules in local.users~}
          user ${name} on{{ template "hashes" .${name}_password }} resetchannels -@all ${join(" ", flatten(rules))}
          %{endfor~}
          user operator on{{ template "hashes" .operator_password }} ~* &* +@all
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
