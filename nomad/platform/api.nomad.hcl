# The tenant and admin REST API. Stateless: any allocation answers any request; nginx finds them in Consul.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/platform/api.nomad.hcl
#
# Secrets: app_password, data_keys, redis_api_password, shard_token [, calls_token, metrics_token]
# [, s3_access_key_id, s3_secret_access_key] (Nomad variable nomad/jobs/api).

variable "api_count" {
  description = "Allocations of the API."
  type        = number
  default     = 2

  validation {
    condition     = var.api_count >= 1 && var.api_count <= 100
    error_message = "The api_count must be from 1 to 100."
  }
}

variable "api_memory" {
  description = "MB of memory reserved for each allocation."
  type        = number
  default     = 256
}

variable "api_memory_max" {
  description = "MB an allocation may grow to before it is killed."
  type        = number
  default     = 768
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

variable "storage_url" {
  description = "Where files are kept: s3://bucket, or file:///media for the volume \"media\". Empty: nowhere, and messages go without files."
  type        = string
  default     = ""

  validation {
    condition     = var.storage_url == "" || var.storage_url == "file:///media" || regex_replace(var.storage_url, "^s3://[a-z0-9.-]+$", "ok") == "ok"
    error_message = "The storage_url must be s3://bucket or file:///media."
  }
}

variable "s3_endpoint" {
  description = "https://… of an S3-compatible service. Empty: Amazon's."
  type        = string
  default     = ""
}

variable "s3_region" {
  description = "Region of the bucket."
  type        = string
  default     = ""
}

variable "media_quota_bytes" {
  description = "Bytes of stored media of one business. The jobs api and workers have the same."
  type        = number
  default     = 10737418240 # 10 GiB

  validation {
    condition     = var.media_quota_bytes >= 1
    error_message = "The media_quota_bytes must be at least 1."
  }
}

variable "queued_messages_quota" {
  description = "Queued messages of one business, recipients of unfinished broadcasts included."
  type        = number
  default     = 250000 # the most rows of an uploaded table of recipients

  validation {
    condition     = var.queued_messages_quota >= 1
    error_message = "The queued_messages_quota must be at least 1."
  }
}

variable "queued_bytes_quota" {
  description = "Bytes of the queued messages of one business."
  type        = number
  default     = 1073741824 # 1 GiB: about 4 KiB for each message of the default quota

  validation {
    condition     = var.queued_bytes_quota >= 1
    error_message = "The queued_bytes_quota must be at least 1."
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

variable "webhooks_allow_private" {
  description = "Whether webhooks may go over http and into private networks. For development."
  type        = bool
  default     = false
}

variable "wa_shards_count" {
  description = "First value of Consul's prosaas/whatsapp/num_shards; from then on that key alone counts."
  type        = number
  default     = 2
}

job "api" {
  type = "service"

  group "api" {
    count = var.api_count

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

    dynamic "volume" {
      for_each = var.storage_url == "file:///media" ? ["media"] : []
      labels   = [volume.value]
      content {
        type            = "host"
        source          = "media"
        access_mode     = "single-node-multi-writer"
        attachment_mode = "file-system"
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
      progress_deadline = "5m"
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
      name     = "prosaas-api"
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

    task "api" {
      driver         = "exec"
      user           = "nobody"
      shutdown_delay = "3s" # nginx drops an allocation within 2 s, the most its template waits
      kill_signal    = "SIGTERM"
      kill_timeout   = "15s" # above the longest request

      # A token under consul/policies/api.hcl, in CONSUL_HTTP_TOKEN.
      consul {}

      config {
        command  = "/bin/bun"
        args     = ["run", "services/api/main.ts"]
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

      dynamic "volume_mount" {
        for_each = var.storage_url == "file:///media" ? ["media"] : []
        content {
          volume      = volume_mount.value
          destination = "/media"
        }
      }

      env {
        HOST                   = "${NOMAD_IP_http}"
        PORT                   = "${NOMAD_PORT_http}"
        OPS_PORT               = "${NOMAD_PORT_ops}"
        LOG_LEVEL              = var.log_level
        CONSUL_HTTP_ADDR       = var.consul_address
        PUBLIC_URL             = var.public_url
        MEDIA_QUOTA_BYTES      = var.media_quota_bytes
        QUEUED_MESSAGES_QUOTA  = var.queued_messages_quota
        QUEUED_BYTES_QUOTA     = var.queued_bytes_quota
        BAILEYS_NUM_SHARDS     = var.wa_shards_count
        WEBHOOKS_ALLOW_PRIVATE = var.webhooks_allow_private
        MAX_CONCURRENT_CALLS   = var.max_concurrent_calls
        STORAGE_URL            = var.storage_url
        S3_ENDPOINT            = var.s3_endpoint
        S3_REGION              = var.s3_region

        BUN_RUNTIME_TRANSPILER_CACHE_PATH = "/tmp/bun" # a restarted process need not transpile again
      }

      template {
        destination          = "secrets/env"
        env                  = true
        perms                = "0400"
        change_mode          = "noop" # a deploy rolls the job
        error_on_missing_key = true
        data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/api" }}
          SHARD_TOKEN={{ .shard_token }}
          DATA_KEYS={{ .data_keys }}
          DATABASE_URL_POOLER=postgres://prosaas_app:{{ .app_password }}@${var.pooler_address}/prosaas${var.postgres_options}
          DATABASE_URL_READ=${var.read_address == "" ? "" : "postgres://prosaas_app:{{ .app_password }}@${var.read_address}/prosaas${var.postgres_options}"}
          REDIS_URL=${var.redis_scheme}://api:{{ .redis_api_password }}@${var.redis_address}/0
          {{- with index . "s3_access_key_id" }}
          S3_ACCESS_KEY_ID={{ . }}
          {{- end }}
          {{- with index . "s3_secret_access_key" }}
          S3_SECRET_ACCESS_KEY={{ . }}
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
        memory     = var.api_memory
        memory_max = var.api_memory_max
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
