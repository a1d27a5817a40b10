# The tenant and admin REST API. Stateless: any allocation answers any request, and nginx finds them in Consul.

variable "api_release" { type = string }                     # an address with checksum, as `task release` prints it
variable "platform_pool" { default = "default" }             # the nodes that it may run on
variable "host_network" { default = "default" }              # of the client; its address is what tasks listen on
variable "media_volume" { default = false }                  # whether STORAGE_URL is file:///media
variable "count" { default = 2 }                             # the least that survives the loss of one
variable "max" { default = 8 }                               # replicas: scaling asks for no more
variable "memory" { default = { reserve = 256, max = 768 } } # MB: 90 when idle

job "api" {
  node_pool = var.platform_pool
  priority  = 70 # above the workers: people wait for it

  spread { attribute = "${node.unique.id}" } # on as many nodes as there are, before two share one

  group "api" {
    count = var.count
    scaling { # for the job autoscaler (services/autoscaler/README.md); commands may go down to min
      min = 1
      max = max(var.max, var.count)
      policy {
        keep = var.count
        cpu  = 0.6 # cores of a replica, whose JavaScript uses one
      }
    }
    network {
      port "http" { host_network = var.host_network }
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
    update { # the old ones stop once as many new ones serve: with one canary, the last stops before its successor
      canary           = var.count
      auto_promote     = true
      auto_revert      = true
      min_healthy_time = "10s" # shorter, and a process that dies at its first real request counts as healthy
      healthy_deadline = "2m"  # a start takes seconds
    }
    disconnect { # while a node is cut off, others run its replicas; the originals go on when it is back
      reconcile  = "keep_original"
      replace    = true
      lost_after = "1h" # longer than any cut but a lost node
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
      name = "prosaas-api"
      port = "http"
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

    task "api" {
      driver         = "exec"
      user           = "nobody"
      shutdown_delay = "10s" # nginx drops an allocation within 2 s, and up to 8 s later where processors are full
      kill_timeout   = "15s" # above the longest request
      consul {}              # a token under consul/policies/api.hcl, in CONSUL_HTTP_TOKEN
      artifact {
        source      = var.api_release
        destination = "app"
      }
      config {
        command  = "/bin/bun"
        args     = ["run", "services/api/main.js"]
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
        HOSTS    = "redis postgres-replica"
        HOST     = "${NOMAD_IP_http}"
        PORT     = "${NOMAD_PORT_http}"
        OPS_PORT = "${NOMAD_PORT_ops}"
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
        cpu        = 150 # MHz, a share and not a limit: what counts is the ratio to the other tasks
        memory     = var.memory.reserve
        memory_max = var.memory.max
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
