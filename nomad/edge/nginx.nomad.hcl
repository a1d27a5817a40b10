# The edge: TLS, the console's page, and the api and calls allocations that Consul lists. The configuration is
# consul/nginx.conf.ctmpl, which standalone consul-template renders as well (consul/consul-template.hcl).
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/edge/nginx.nomad.hcl
#
# Secrets: tls_certificate, tls_key (Nomad variable nomad/jobs/nginx).

variable "nginx_count" {
  description = "Edges; each needs a node of its own."
  type        = number
  default     = 1

  validation {
    condition     = var.nginx_count >= 1 && var.nginx_count <= 100
    error_message = "The nginx_count must be from 1 to 100."
  }
}

variable "http_port" {
  description = "Port that redirects to https."
  type        = number
  default     = 80

  validation {
    condition     = var.http_port >= 1 && var.http_port <= 65535
    error_message = "The http_port must be from 1 to 65535."
  }
}

variable "https_port" {
  description = "Port of the API, the webhooks and the console."
  type        = number
  default     = 443

  validation {
    condition     = var.https_port >= 1 && var.https_port <= 65535
    error_message = "The https_port must be from 1 to 65535."
  }
}

variable "listen_host" {
  description = "Address the edge listens on."
  type        = string
  default     = "0.0.0.0"
}

variable "hsts_max_age" {
  description = "Seconds for which browsers reach the edge over https only (Strict-Transport-Security). 0 omits the header."
  type        = number
  default     = 31536000 # a year, as browsers' preload lists ask for
}

variable "edge_requests_per_second" {
  description = "Requests a second that one address may make, after a burst of twice as many."
  type        = number
  default     = 10000 # three times what the API serves on two cores: only floods meet it
}

variable "edge_concurrent_requests" {
  description = "Requests of one address in flight, event streams included."
  type        = number
  default     = 1024 # hundreds of users behind one address, with a stream each; an eighth of what the edge holds
}

variable "release_url" {
  description = "Address of a release tarball (go-getter form, with ?checksum=). Empty: the node's host volume \"app\"."
  type        = string
  default     = ""
}

variable "host_network" {
  description = "The client's host_network whose address tasks listen on."
  type        = string
  default     = "default"
}

job "nginx" {
  type = "service"

  group "nginx" {
    count = var.nginx_count

    network {
      mode = "host"
      port "http" {
        static       = var.http_port
        host_network = var.host_network
      }
      port "https" {
        static       = var.https_port
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

    # One process owns the ports: the old one ends before the new one starts.
    update {
      max_parallel      = 1
      health_check      = "checks"
      min_healthy_time  = "5s"
      healthy_deadline  = "2m"
      progress_deadline = "5m"
    }

    # Its ports are on this node: it is restarted here for ever, at most 20 times a minute.
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
      size = 150 # MB: log files; bodies are never written
    }

    service {
      name     = "prosaas-edge"
      port     = "https"
      provider = "consul"

      check {
        name     = "alive"
        type     = "http"
        port     = "http"
        path     = "/health"
        interval = "5s"
        timeout  = "2s"

        check_restart {
          limit = 6 # 30 s without an answer: the process hangs
          grace = "20s"
        }
      }
    }

    # The console is bundled from its sources, for whatever release this is.
    task "console" {
      driver = "exec"
      user   = "nobody"

      lifecycle {
        hook    = "prestart"
        sidecar = false
      }

      config {
        command  = "/bin/bun"
        args     = ["run", "services/console/build.ts", "/alloc/data/console"]
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

      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = 128
        memory_max = 512 # MB: the bundler, for a second
      }

      logs {
        max_files     = 1
        max_file_size = 10 # MB
      }
    }

    task "nginx" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGTERM" # the shell passes QUIT on: requests in hand are finished
      kill_timeout = "30s"

      # A token under consul/policies/nginx.hcl, in CONSUL_HTTP_TOKEN.
      consul {}

      config {
        command  = "/bin/sh"
        args     = ["/local/edge/nginx.sh", "/local/edge/nginx.conf"]
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
        PATH            = "/usr/sbin:/usr/bin:/bin"
        RUN_DIR         = "/tmp" # the task's own
        LISTEN_HOST     = var.listen_host
        HTTP_PORT       = var.http_port
        HTTPS_PORT      = var.https_port
        TLS_CERTIFICATE = "/secrets/tls.crt"
        TLS_KEY         = "/secrets/tls.key"
        CONSOLE_ROOT    = "/alloc/data/console" # of the task console
        HSTS_MAX_AGE    = var.hsts_max_age

        EDGE_REQUESTS_PER_SECOND = var.edge_requests_per_second
        EDGE_REQUEST_BURST       = 2 * var.edge_requests_per_second
        EDGE_CONCURRENT_REQUESTS = var.edge_concurrent_requests
      }

      template {
        destination   = "local/edge/nginx.conf"
        data          = file("consul/nginx.conf.ctmpl")
        change_mode   = "signal"
        change_signal = "SIGHUP"
        splay         = "0s" # the default of 5 s would keep a stopped allocation in the upstream that long

        wait {
          min = "250ms"
          max = "2s" # below the shutdown_delay of api and calls
        }
      }

      template {
        destination     = "local/edge/nginx.sh"
        data            = file("consul/nginx.sh")
        change_mode     = "restart"
        left_delimiter  = "@@{" # the script speaks no template language
        right_delimiter = "}@@"
      }

      template {
        destination   = "secrets/tls.crt"
        data          = "{{ with nomadVar \"nomad/jobs/nginx\" }}{{ .tls_certificate }}{{ end }}"
        perms         = "0400"
        uid           = 65534 # nobody
        gid           = 65534
        change_mode   = "signal"
        change_signal = "SIGHUP"
        splay         = "0s"
      }

      template {
        destination   = "secrets/tls.key"
        data          = "{{ with nomadVar \"nomad/jobs/nginx\" }}{{ .tls_key }}{{ end }}"
        perms         = "0400"
        uid           = 65534 # nobody
        gid           = 65534
        change_mode   = "signal"
        change_signal = "SIGHUP"
        splay         = "0s"
      }

      resources {
        cpu        = 150 # MHz, a share and not a limit
        memory     = 64
        memory_max = 512 # MB: two workers of 25 MB at 1,000 requests in flight, and up to 32 old ones (consul/nginx.sh)
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
