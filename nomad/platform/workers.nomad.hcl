# Queue workers. lib/queues/definitions.ts says which queues a group serves; `task lint` compares this file with it.
# A running job may change its profile: new allocations take over what the old ones do not finish (`task scale:profile`
# starts the new ones first). A template reads media_ca.

variable "workers_release" { type = string }     # an address with checksum, as `task release` prints it
variable "platform_pool" { default = "default" } # the nodes that it may run on
variable "host_network" { default = "default" }  # of the client; its address is what tasks listen on
variable "media_volume" { default = false }      # whether STORAGE_URL is file:///media

variable "profile" { default = "groups" } # a group for each urgency; or single: one group that serves every queue

# The least that serves every queue; the group of the single profile has as many as the three others together.
variable "counts" { default = { high = 1, default = 1, low = 1, all = 3 } }
variable "max" { default = 20 }                              # allocations of a group: scaling asks for no more
variable "memory" { default = { reserve = 256, max = 768 } } # MB: 85 when idle; a media decoder takes up to 450

locals {
  # Of each group of a profile: how long its oldest job may wait, in seconds.
  groups = {
    groups = { high = 1, default = 10, low = 60 } # a one-time password leaves within a second
    single = { all = 10 }
  }
}

job "workers" {
  node_pool = var.platform_pool
  priority  = 60 # their queues can wait

  spread { attribute = "${node.unique.id}" } # on as many nodes as there are, before two share one

  dynamic "group" {
    for_each = local.groups[var.profile]
    labels   = [group.key]
    content {
      count = var.counts[group.key]
      scaling { # for the job autoscaler (services/autoscaler/README.md)
        min = 1
        max = max(var.max, var.counts[group.key])
        policy { oldest_job_seconds = group.value } # beyond it there are too few workers
      }
      network {
        mode = "host"
        port "ops" { host_network = var.host_network }
      }
      volume "usr" {
        type      = "host"
        source    = "usr"
        read_only = true
      }
      dynamic "volume" {
        for_each = var.media_volume ? ["media"] : []
        labels   = [volume.value]
        content {
          type            = "host"
          source          = "media"
          access_mode     = "single-node-multi-writer"
          attachment_mode = "file-system"
        }
      }
      # A new allocation joins beside the old ones, and the rest follow once it is healthy. Defaults are explicit:
      # `task scale:profile` adds groups to the running job, where Nomad does not fill them in.
      update {
        max_parallel      = 1
        health_check      = "checks"
        progress_deadline = "5m" # two starts and some
        canary            = 1
        auto_promote      = true
        auto_revert       = true
        min_healthy_time  = "10s" # shorter, and a process that dies at its first real request counts as healthy
        healthy_deadline  = "2m"  # a start takes seconds
      }
      disconnect { # while a node is cut off, others take its jobs; leases keep the two apart
        reconcile  = "keep_original"
        replace    = true
        lost_after = "1h" # longer than any job
      }
      restart { # five quick tries here, then a new allocation, on another node if there is one
        attempts = 5
        interval = "1m"
        delay    = "1s" # a dependency that restarts is back within seconds
      }
      reschedule {
        delay     = "5s" # Nomad's least
        max_delay = "1m" # the longest that a repaired cluster waits
      }

      service {
        name = "prosaas-worker-${group.key}"
        port = "ops"
        meta { ops_port = "${NOMAD_PORT_ops}" } # of /metrics, for Prometheus
        check {
          name     = "alive"
          type     = "http"
          port     = "ops"
          path     = "/health"
          interval = "5s"
          timeout  = "2s" # it answers from memory, within milliseconds
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
          interval = "2s" # the longest that a new allocation waits for its first check
          timeout  = "2s" # as above
        }
      }

      task "worker" {
        driver       = "exec"
        user         = "nobody"
        kill_timeout = "30s" # jobs in flight are finished or handed back within 25 s
        consul {}            # a token under consul/policies/workers.hcl, in CONSUL_HTTP_TOKEN
        artifact {
          source      = var.workers_release
          destination = "app"
        }
        config {
          command  = "/bin/bun"
          args     = ["run", "services/workers/main.js"]
          work_dir = "/app"
          cap_drop = ["all"]
        }
        volume_mount {
          volume      = "usr"
          destination = "/usr"
        }
        dynamic "volume_mount" {
          for_each = var.media_volume ? ["media"] : []
          content {
            volume      = volume_mount.value
            destination = "/media"
          }
        }
        env {
          HOSTS        = "redis"
          HOST         = "${NOMAD_IP_ops}"
          OPS_PORT     = "${NOMAD_PORT_ops}"
          WORKER_GROUP = group.key
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
        template {
          destination = "secrets/media_ca" # of a media host other than WhatsApp's (NODE_EXTRA_CA_CERTS)
          data        = "{{ with nomadVar \"nomad/jobs/workers\" }}{{ or (index . \"media_ca\") \"\" }}{{ end }}"
          perms       = "0400"
          uid         = 65534 # of the task
          gid         = 65534
          change_mode = "noop" # as above
        }
        resources {
          cpu        = lookup({ high = 200, low = 50 }, group.key, 150) # MHz, a share: decoders (low) last
          memory     = var.memory.reserve
          memory_max = var.memory.max
        }
        logs { max_files = 3 } # of 10 MB each
      }
    }
  }
}
