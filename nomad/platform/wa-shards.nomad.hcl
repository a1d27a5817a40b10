# The WhatsApp shards. Allocation k is shard k + 1 and keeps its logins on the volume wa-auth[k], which must exist
# before the count grows (nomad/volumes). Scaling down keeps the volumes. nomad/README.md describes its secrets.

variable "whatsapp_release" { type = string }                 # an address with checksum, as `task release` prints it
variable "platform_pool" { default = "default" }              # the nodes that it may run on
variable "host_network" { default = "default" }               # of the client; its address is what tasks listen on
variable "memory" { default = { reserve = 384, max = 1536 } } # MB: 110 when idle, 1,035 with 1,000 sessions

# The least that shows that businesses live on different shards. Lower it with `task scale:shards` only, which moves the
# businesses away first. At most 300: a Nomad variable holds 64 KiB, and their secrets twice while keys are rotated.
variable "count" { default = 2 }

job "wa-shards" {
  node_pool = var.platform_pool
  priority  = 80 # a shard has no replica

  group "shard" {
    count = var.count
    meta { release = var.whatsapp_release } # NOMAD_META_RELEASE: the version in /v1/admin/shards

    network {
      port "http" { host_network = var.host_network }
      port "ops" { host_network = var.host_network }
    }
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }

    # Allocation k gets wa-auth[k] and no other. Not single-node-single-writer: Nomad 1.11 counts that by the
    # common name, and two shards on a node would keep every further allocation off it. The shard locks its volume.
    volume "auth" {
      type            = "host"
      source          = "wa-auth"
      per_alloc       = true
      access_mode     = "single-node-writer"
      attachment_mode = "file-system"
    }

    # One shard after the other, and never two processes for one: no canary.
    update {
      min_healthy_time  = "10s" # shorter, and a shard that dies while it reopens its sessions counts as healthy
      healthy_deadline  = "2m"  # 1,000 sessions are open after 15 s
      progress_deadline = "3m"  # of a shard: one that misses the other deadline ends the deployment
      auto_revert       = true
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
    disconnect { # a lost node keeps its shards: no other node has their volumes
      replace    = false
      lost_after = "6h" # longer than any repair
    }

    service {
      name = "whatsapp-shard"
      port = "http"
      meta {
        ops_port    = "${NOMAD_PORT_ops}"    # of /metrics, for Prometheus
        shard_index = "${NOMAD_ALLOC_INDEX}" # from 0; the shard's number is one more
      }
      check {
        name                     = "alive"
        type                     = "http"
        port                     = "ops"
        path                     = "/health"
        interval                 = "5s"
        timeout                  = "2s" # it answers from memory, within milliseconds
        initial_status           = "passing"
        failures_before_critical = 2 # as for "ready"
        check_restart {
          limit = 6     # 30 s without an answer: the process hangs
          grace = "20s" # longer than any start
        }
      }
      check {
        name     = "ready"
        type     = "http"
        port     = "ops"
        path     = "/ready"
        interval = "2s"
        timeout  = "2s" # as above
        # A killed shard is back within two seconds: routers keep its address, and callers retry until it listens.
        initial_status           = "passing"
        failures_before_critical = 2
        on_update                = "ignore" # a deployment must not fail over Redis, Consul or the volume's owner
      }
    }

    service { # of no router: a deployment goes on once the sessions that were open before are open again
      name = "whatsapp-sessions"
      port = "ops"
      check {
        name     = "sessions"
        type     = "http"
        port     = "ops"
        path     = "/reopened"
        interval = "2s" # as above
        timeout  = "2s"
      }
    }

    task "shard" {
      driver         = "exec"
      user           = "nobody"
      shutdown_delay = "1s"  # the directories of routers follow Consul within that
      kill_timeout   = "15s" # messages in flight are acknowledged, or left to the ledger, within 10 s
      consul {}              # a token under consul/policies/wa-shards.hcl, in CONSUL_HTTP_TOKEN
      artifact {
        source      = var.whatsapp_release
        destination = "app"
      }
      config {
        command  = "/bin/bun"
        args     = ["run", "services/whatsapp/main.js"]
        work_dir = "/app"
        cap_drop = ["all"]
      }
      dynamic "volume_mount" {
        for_each = ["usr", "auth"]
        content {
          volume      = volume_mount.value
          destination = "/${volume_mount.value}"
        }
      }
      env {
        HOSTS       = "redis"
        HOST        = "${NOMAD_IP_http}"
        PORT        = "${NOMAD_PORT_http}"
        OPS_PORT    = "${NOMAD_PORT_ops}"
        SHARD_INDEX = "${NOMAD_ALLOC_INDEX}"
        # JavaScriptCore lets its heap grow by the memory of the machine unless it knows the limit.
        BUN_JSC_forceRAMSize = var.memory.max * 1024 * 1024
      }
      dynamic "template" {
        for_each = { hosts = "etc/hosts", env = "secrets/env" }
        content {
          destination = template.value
          data        = file("nomad/tasks/${template.key}.ctmpl")
          env         = template.key == "env"
          perms       = template.key == "env" ? "0400" : "0644"
          change_mode = "noop" # hosts are read at each connection; `task secrets:apply` or a deploy rolls out env
        }
      }
      resources {
        cpu        = 250 # MHz, a share and not a limit: what counts is the ratio to the other tasks
        memory     = var.memory.reserve
        memory_max = var.memory.max
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
