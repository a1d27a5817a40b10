# WhatsApp's and the voice carrier's side for development, tests and benchmarks: virtual phones, callers, and faults on
# request. Not for production. Its templates read media_certificate, media_key and tls_authority.

variable "simulator_release" { type = string }                # an address with checksum, as `task release` prints it
variable "data_pool" { default = "default" }                  # the nodes that may hold it
variable "host_network" { default = "default" }               # of the client; its address is what tasks listen on
variable "simulator_port" { default = 17070 }                 # of the control API and the WebSocket
variable "simulator_media_port" { default = 17071 }           # of the media host, always https
variable "memory" { default = { reserve = 256, max = 1024 } } # MB: 100 when idle

job "simulator" {
  node_pool = var.data_pool

  group "simulator" { # one allocation: the phones live in one process
    network {
      port "http" {
        static       = var.simulator_port
        host_network = var.host_network
      }
      port "ops" { host_network = var.host_network }
      port "media" {
        static       = var.simulator_media_port
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
      source          = "simulator-data"
      access_mode     = "single-node-single-writer"
      attachment_mode = "file-system"
    }
    update {
      min_healthy_time = "5s" # it has no traffic that could kill it
      healthy_deadline = "2m" # a start takes seconds
    }
    disconnect { # a node that is cut off keeps its phones: no other node has them
      replace    = false
      lost_after = "6h" # longer than any repair
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
      name = "prosaas-simulator"
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

    task "simulator" {
      driver       = "exec"
      user         = "nobody"
      kill_timeout = "10s" # it writes its phones to the volume
      artifact {
        source      = var.simulator_release
        destination = "app"
      }
      config {
        command  = "/bin/bun"
        args     = ["run", "services/simulator/main.js"]
        work_dir = "/app"
        cap_drop = ["all"]
      }
      volume_mount {
        volume      = "usr"
        destination = "/usr"
      }
      volume_mount {
        volume      = "data"
        destination = "/data"
      }
      env {
        HOST                 = "${NOMAD_IP_http}"
        PORT                 = "${NOMAD_PORT_http}"
        OPS_PORT             = "${NOMAD_PORT_ops}"
        SIMULATOR_DATA       = "/data"
        SIMULATOR_MEDIA_PORT = "${NOMAD_PORT_media}"
        SIMULATOR_MEDIA_CERT = "/secrets/media_certificate"
        SIMULATOR_MEDIA_KEY  = "/secrets/media_key"
      }
      template {
        destination = "secrets/env"
        env         = true
        perms       = "0400"
        data        = file("nomad/tasks/env.ctmpl")
        change_mode = "noop" # `task secrets:apply` or a deploy replaces the allocations
      }
      dynamic "template" {
        for_each = ["media_certificate", "media_key", "tls_authority"] # the last is SIMULATOR_CA_FILE
        content {
          destination = "secrets/${template.value}"
          data        = "{{ with nomadVar \"nomad/jobs/simulator\" }}{{ index . \"${template.value}\" }}{{ end }}"
          perms       = "0400"
          uid         = 65534 # of the task
          gid         = 65534
          change_mode = "noop" # a deploy replaces the allocation
        }
      }
      resources {
        cpu        = 200 # MHz, a share and not a limit: what counts is the ratio to the other tasks
        memory     = var.memory.reserve
        memory_max = var.memory.max
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
