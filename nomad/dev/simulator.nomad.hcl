# WhatsApp's and the voice carrier's side for development, tests and benchmarks: virtual phones, callers, and faults on
# request. Not for production.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/dev/simulator.nomad.hcl
#
# Secrets: seed, token, media_certificate, media_key [, tls_authority, twilio_account_sid, twilio_auth_token]
# (Nomad variable nomad/jobs/simulator).

variable "simulator_port" {
  description = "Port of the control API and of the WebSocket."
  type        = number
  default     = 17070

  validation {
    condition     = var.simulator_port >= 1 && var.simulator_port <= 65535
    error_message = "The simulator_port must be from 1 to 65535."
  }
}

variable "simulator_media_port" {
  description = "Port of the media host, always https."
  type        = number
  default     = 17071

  validation {
    condition     = var.simulator_media_port >= 1 && var.simulator_media_port <= 65535
    error_message = "The simulator_media_port must be from 1 to 65535."
  }
}

variable "simulator_memory" {
  description = "MB of memory reserved for each allocation."
  type        = number
  default     = 256
}

variable "simulator_memory_max" {
  description = "MB an allocation may grow to before it is killed."
  type        = number
  default     = 1024
}

variable "release" {
  description = "What is deployed: another value rolls the job over to the code that is there now."
  type        = string
  default     = "checkout"
}

variable "release_url" {
  description = "Address of a release tarball (go-getter form, with ?checksum=). Empty: the node's host volume \"app\"."
  type        = string
  default     = ""
}

variable "log_level" {
  description = "Least severe log line that is written."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["trace", "debug", "info", "warn", "error"], var.log_level)
    error_message = "The log_level must be one of trace, debug, info, warn, error."
  }
}

variable "consul_address" {
  description = "host:port of the Consul agent that tasks talk to."
  type        = string
  default     = "127.0.0.1:8500"

  validation {
    condition     = regex_replace(var.consul_address, "^[^:/]+:[0-9]+$", "ok") == "ok"
    error_message = "The consul_address must be host:port."
  }
}

variable "host_network" {
  description = "The client's host_network whose address tasks listen on."
  type        = string
  default     = "default"
}

variable "public_url" {
  description = "Address under which clients reach the edge, without a trailing slash."
  type        = string

  validation {
    condition     = regex_replace(var.public_url, "^https?://[^/]+$", "ok") == "ok"
    error_message = "The public_url must be http(s)://host[:port]."
  }
}

job "simulator" {
  type = "service"

  group "simulator" {
    count = 1 # the phones live in one process

    meta {
      release = var.release
    }

    network {
      mode = "host"
      port "http" {
        static       = var.simulator_port
        host_network = var.host_network
      }
      port "ops" {
        host_network = var.host_network
      }
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

    dynamic "volume" {
      for_each = var.release_url == "" ? ["app"] : []
      labels   = [volume.value]
      content {
        type      = "host"
        source    = "app"
        read_only = true
      }
    }

    volume "data" {
      type            = "host"
      source          = "simulator-data"
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
      size = 150 # MB: three log files of 10 MB for each of stdout and stderr, and the transpiler's cache
    }

    service {
      name     = "prosaas-simulator"
      port     = "http"
      provider = "consul"

      meta {
        release  = var.release
        ops_port = "${NOMAD_PORT_ops}" # of /metrics, for Prometheus
      }

      check {
        name     = "alive"
        type     = "http"
        port     = "ops"
        path     = "/health"
        interval = "5s"
        timeout  = "2s"

        check_restart {
          limit = 6 # 30 s without an answer: the process hangs
          grace = "20s"
        }
      }

      check {
        name     = "ready"
        type     = "http"
        port     = "ops"
        path     = "/ready"
        interval = "2s" # also the longest that a new allocation waits for its first check
        timeout  = "2s"
      }
    }

    task "simulator" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s" # it writes its phones down

      config {
        command  = "/bin/bun"
        args     = ["run", "services/simulator/main.ts"]
        work_dir = "/app"
        cap_drop = ["all"]
      }

      volume_mount {
        volume      = "usr"
        destination = "/usr"
        read_only   = true
      }

      dynamic "artifact" {
        for_each = var.release_url == "" ? [] : [var.release_url]
        content {
          source      = artifact.value
          destination = "app"
        }
      }

      dynamic "volume_mount" {
        for_each = var.release_url == "" ? ["app"] : []
        content {
          volume      = volume_mount.value
          destination = "/app"
          read_only   = true
        }
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      env {
        HOST             = "${NOMAD_IP_http}"
        PORT             = "${NOMAD_PORT_http}"
        OPS_PORT         = "${NOMAD_PORT_ops}"
        LOG_LEVEL        = var.log_level
        CONSUL_HTTP_ADDR = var.consul_address
        PUBLIC_URL       = var.public_url
        SIMULATOR_DATA   = "/data"

        SIMULATOR_MEDIA_PORT = "${NOMAD_PORT_media}"
        SIMULATOR_MEDIA_CERT = "/secrets/media.crt"
        SIMULATOR_MEDIA_KEY  = "/secrets/media.key"

        BUN_RUNTIME_TRANSPILER_CACHE_PATH = "/tmp/bun" # a restarted process need not transpile again
      }

      template {
        destination          = "secrets/env"
        env                  = true
        perms                = "0400"
        change_mode          = "noop" # a deploy rolls the job
        error_on_missing_key = true
        data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/simulator" }}
          SIMULATOR_SEED={{ .seed }}
          SIMULATOR_TOKEN={{ .token }}
          {{- with index . "twilio_account_sid" }}
          TWILIO_ACCOUNT_SID={{ . }}
          {{- end }}
          {{- with index . "twilio_auth_token" }}
          TWILIO_AUTH_TOKEN={{ . }}
          {{- end }}
          {{- with index . "tls_authority" }}
          SIMULATOR_CA_FILE=/secrets/authority.crt
          {{- end }}
          {{- end }}
        EOT
      }

      # What the carrier's side trusts: the certificate of a development stack's edge is signed by its own authority.
      template {
        destination = "secrets/authority.crt"
        data        = "{{ with nomadVar \"nomad/jobs/simulator\" }}{{ with index . \"tls_authority\" }}{{ . }}{{ end }}{{ end }}"
        perms       = "0400"
        uid         = 65534 # nobody
        gid         = 65534
        change_mode = "noop" # a deploy rolls the job
      }

      template {
        destination = "secrets/media.crt"
        perms       = "0400"
        change_mode = "noop" # a deploy rolls the job
        uid         = 65534  # nobody, who runs the task
        gid         = 65534
        data        = "{{ with nomadVar \"nomad/jobs/simulator\" }}{{ .media_certificate }}{{ end }}"
      }

      template {
        destination = "secrets/media.key"
        perms       = "0400"
        change_mode = "noop" # a deploy rolls the job
        uid         = 65534
        gid         = 65534
        data        = "{{ with nomadVar \"nomad/jobs/simulator\" }}{{ .media_key }}{{ end }}"
      }

      resources {
        cpu        = 200 # MHz, a share and not a limit: what counts is the ratio to the other tasks
        memory     = var.simulator_memory
        memory_max = var.simulator_memory_max
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
