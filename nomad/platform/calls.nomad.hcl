# Voice webhooks and media streams. Any allocation serves any request of a call: state is in Redis.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/platform/calls.nomad.hcl
#
# Secrets: app_password, redis_calls_password [, metrics_token] (Nomad variable nomad/jobs/calls).

variable "calls_count" {
  description = "Allocations of the calls service."
  type        = number
  default     = 1

  validation {
    condition     = var.calls_count >= 1 && var.calls_count <= 100
    error_message = "The calls_count must be from 1 to 100."
  }
}

variable "calls_memory" {
  description = "MB of memory reserved for each allocation."
  type        = number
  default     = 256
}

variable "calls_memory_max" {
  description = "MB an allocation may grow to before it is killed."
  type        = number
  default     = 768
}

variable "calls_allowed_destinations" {
  description = "Destinations of calls and transfers, for businesses without rules of their own: own, *, +44, !+4490, comma-separated."
  type        = string
  default     = "own"
}

variable "calls_per_day" {
  description = "Calls and transfers in 24 hours, for businesses without a limit of their own."
  type        = number
  default     = 1000
}

variable "calls_grace_s" {
  description = "Seconds for which an ending allocation carries its calls on; what is left then goes on at another. Half a minute below the client's max_kill_timeout at the most."
  type        = number
  default     = 570

  validation {
    condition     = var.calls_grace_s >= 0 && var.calls_grace_s <= 3600
    error_message = "The calls_grace_s must be from 0 to 3600."
  }
}

variable "calls_when_full" {
  description = "What a caller gets for whom there is no slot: 503 with Retry-After, or the busy tone (reject)."
  type        = string
  default     = "503"

  validation {
    condition     = contains(["503", "reject"], var.calls_when_full)
    error_message = "The calls_when_full must be 503 or reject."
  }
}

variable "call_agent_url" {
  description = "WebSocket address of the voice agent (services/calls/agent/PROTOCOL.md). Empty: there is none, and every call is refused."
  type        = string
  default     = ""

  validation {
    condition     = var.call_agent_url == "" || regex_replace(var.call_agent_url, "^wss?://.+$", "ok") == "ok"
    error_message = "The call_agent_url must be ws(s)://host[:port]/path."
  }
}

variable "twilio_api_url" {
  description = "Address of the voice carrier's REST API: another one for a carrier that is compatible, or the simulator."
  type        = string
  default     = "https://api.twilio.com"

  validation {
    condition     = regex_replace(var.twilio_api_url, "^https?://[^/]+$", "ok") == "ok"
    error_message = "The twilio_api_url must be http(s)://host[:port]."
  }
}

variable "max_concurrent_calls" {
  description = "First value of Consul's prosaas/calls/max_concurrent; from then on that key alone counts."
  type        = number
  default     = 50

  validation {
    condition     = var.max_concurrent_calls >= 1 && var.max_concurrent_calls <= 100000
    error_message = "The max_concurrent_calls must be from 1 to 100000."
  }
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

variable "pooler_address" {
  description = "host:port of pgbouncer, or of the managed pooler."
  type        = string

  validation {
    condition     = regex_replace(var.pooler_address, "^[^:/]+:[0-9]+$", "ok") == "ok"
    error_message = "The pooler_address must be host:port."
  }
}

variable "read_address" {
  description = "host:port of a Postgres replica for reads that may lag. Empty: every read goes through the pooler."
  type        = string
  default     = ""
}

variable "postgres_options" {
  description = "Appended to Postgres addresses, such as ?sslmode=verify-full for a managed server."
  type        = string
  default     = ""
}

variable "redis_address" {
  description = "host:port of Redis."
  type        = string

  validation {
    condition     = regex_replace(var.redis_address, "^[^:/]+:[0-9]+$", "ok") == "ok"
    error_message = "The redis_address must be host:port."
  }
}

variable "redis_scheme" {
  description = "redis, or rediss for TLS."
  type        = string
  default     = "redis"

  validation {
    condition     = contains(["redis", "rediss"], var.redis_scheme)
    error_message = "The redis_scheme must be redis or rediss."
  }
}

variable "public_url" {
  description = "Address under which clients reach the edge, without a trailing slash."
  type        = string

  validation {
    condition     = regex_replace(var.public_url, "^https?://[^/]+$", "ok") == "ok"
    error_message = "The public_url must be http(s)://host[:port]."
  }
}

job "calls" {
  type = "service"

  group "calls" {
    count = var.calls_count

    meta {
      release = var.release
    }

    network {
      mode = "host"
      port "http" {
        host_network = var.host_network
      }
      port "ops" {
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

    # A new allocation joins beside the old ones, and the rest follow once it is healthy.
    update {
      max_parallel      = 1
      canary            = 1
      auto_promote      = true
      auto_revert       = true
      health_check      = "checks"
      min_healthy_time  = "10s" # shorter, and a process that dies at its first real request counts as healthy
      healthy_deadline  = "2m"
      progress_deadline = "15m" # the old allocations may take as long as their calls
    }

    # Five quick tries here, then another allocation, elsewhere if there is an elsewhere.
    restart {
      attempts = 5
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }

    reschedule {
      delay          = "5s"
      delay_function = "exponential"
      max_delay      = "1m"
      unlimited      = true
    }

    ephemeral_disk {
      size = 150 # MB: three log files of 10 MB for each of stdout and stderr, and the transpiler's cache
    }

    service {
      name     = "prosaas-calls"
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

    task "calls" {
      driver         = "exec"
      user           = "nobody"
      shutdown_delay = "3s" # nginx drops an allocation within 2 s, the most its template waits
      kill_signal    = "SIGTERM"
      kill_timeout   = "${var.calls_grace_s + 30}s" # what is left after the grace is handed over, and its state written

      # A token under consul/policies/calls.hcl, in CONSUL_HTTP_TOKEN.
      consul {}

      config {
        command  = "/bin/bun"
        args     = ["run", "services/calls/main.ts"]
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

      env {
        HOST                 = "${NOMAD_IP_http}"
        PORT                 = "${NOMAD_PORT_http}"
        OPS_PORT             = "${NOMAD_PORT_ops}"
        LOG_LEVEL            = var.log_level
        CONSUL_HTTP_ADDR     = var.consul_address
        PUBLIC_URL           = var.public_url
        MAX_CONCURRENT_CALLS = var.max_concurrent_calls
        CALLS_WHEN_FULL      = var.calls_when_full
        STOP_GRACE_MS        = var.calls_grace_s * 1000
        TWILIO_API_URL       = var.twilio_api_url
        CALL_AGENT_URL       = var.call_agent_url

        CALLS_ALLOWED_DESTINATIONS = var.calls_allowed_destinations
        CALLS_PER_DAY              = var.calls_per_day

        BUN_RUNTIME_TRANSPILER_CACHE_PATH = "/tmp/bun" # a restarted process need not transpile again
      }

      template {
        destination          = "secrets/env"
        env                  = true
        perms                = "0400"
        change_mode          = "noop" # a deploy rolls the job
        error_on_missing_key = true
        data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/calls" }}
          DATABASE_URL_POOLER=postgres://prosaas_app:{{ .app_password }}@${var.pooler_address}/prosaas${var.postgres_options}
          DATABASE_URL_READ=${var.read_address == "" ? "" : "postgres://prosaas_app:{{ .app_password }}@${var.read_address}/prosaas${var.postgres_options}"}
          REDIS_URL=${var.redis_scheme}://calls:{{ .redis_calls_password }}@${var.redis_address}/0
          {{- with index . "twilio_account_sid" }}
          TWILIO_ACCOUNT_SID={{ . }}
          {{- end }}
          {{- with index . "twilio_auth_token" }}
          TWILIO_AUTH_TOKEN={{ . }}
          {{- end }}
          {{- with index . "twilio_auth_token_secondary" }}
          TWILIO_AUTH_TOKEN_SECONDARY={{ . }}
          {{- end }}
          {{- with index . "call_agent_token" }}
          CALL_AGENT_TOKEN={{ . }}
          {{- end }}
          {{- with index . "calls_token" }}
          CALLS_TOKEN={{ . }}
          {{- end }}
          {{- with index . "metrics_token" }}
          METRICS_TOKEN={{ . }}
          {{- end }}
          {{- end }}
        EOT
      }

      resources {
        cpu        = 150 # MHz, a share and not a limit: what counts is the ratio to the other tasks
        memory     = var.calls_memory
        memory_max = var.calls_memory_max
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
