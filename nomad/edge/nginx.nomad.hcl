# The edge: TLS, the console's pages, and the api and calls allocations that Consul lists. The configuration is
# consul/nginx.conf.ctmpl. Templates read tls_certificate and tls_key in nomad/jobs/nginx.

variable "console_release" { type = string }            # an address with checksum, as `task release` prints it
variable "edge_pool" { default = "default" }            # the nodes that it may run on
variable "host_network" { default = "default" }         # of the client; its address is what tasks listen on
variable "count" { default = 1 }                        # each needs a node of its own: the ports are fixed
variable "http_port" { default = 80 }                   # redirects to https
variable "https_port" { default = 443 }                 # the API, the webhooks and the console
variable "proxy_port" { default = 0 }                   # the same in the PROXY protocol, for trusted_proxies; 0: none
variable "trusted_proxies" { default = "" }             # networks of load balancers: "10.0.0.0/24,10.0.1.7/32"
variable "listen_host" { default = "0.0.0.0" }          # the address that nginx listens on
variable "hsts_max_age" { default = 31536000 }          # seconds (a year, for preload lists); 0 omits the header
variable "edge_requests_per_second" { default = 10000 } # of one address: three times what two cores serve
variable "edge_concurrent_requests" { default = 1024 }  # of one address: an eighth of what the edge holds

job "nginx" {
  node_pool = var.edge_pool
  priority  = 85 # the only way in

  group "nginx" {
    count = var.count
    network {
      dynamic "port" {
        for_each = { for name in ["http", "https", "proxy"] : name => var["${name}_port"] if var["${name}_port"] > 0 }
        labels   = [port.key]
        content {
          static       = port.value
          host_network = var.host_network
        }
      }
    }
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    update {
      auto_revert      = true
      min_healthy_time = "5s" # clients would have found it dead by then
      healthy_deadline = "2m" # recovery after a crash takes seconds
    }
    disconnect { # a node that is cut off serves on; until it is back, another edge starts where there is room
      reconcile  = "keep_original"
      replace    = true
      lost_after = "1h" # longer than a cable takes to repair
    }
    restart { # here, without end, at most 20 times a minute: its ports are on this node
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
      name = "prosaas-edge"
      port = "https"
      check {
        name     = "alive"
        type     = "http"
        port     = "http"
        path     = "/health"
        interval = "5s"
        timeout  = "2s" # it answers from memory, within milliseconds
        check_restart {
          limit = 6     # 30 s without an answer: the process hangs
          grace = "20s" # longer than any start
        }
      }
    }

    task "nginx" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGTERM" # the shell sends QUIT: requests in flight are finished
      kill_timeout = "30s"     # three times proxy_read_timeout
      consul {}                # a token under consul/policies/nginx.hcl, in CONSUL_HTTP_TOKEN
      artifact {
        source      = var.console_release
        destination = "app"
      }
      config {
        command = "/bin/sh"
        args = ["/local/edge/reload.sh", "/local/edge/nginx.conf", "/secrets/tls.pem", "--",
        "/bin/sh", "/local/edge/nginx.sh", "/local/edge/nginx.conf"]
        cap_drop = ["all"]
        cap_add  = ["net_bind_service"] # ports below 1024
      }
      volume_mount {
        volume      = "usr"
        destination = "/usr"
      }
      env {
        PATH                     = "/usr/sbin:/usr/bin:/bin"
        RUN_DIR                  = "/tmp" # the task's own
        LISTEN_HOST              = var.listen_host
        HTTP_PORT                = var.http_port
        HTTPS_PORT               = var.https_port
        EDGE_PROXY_PORT          = var.proxy_port > 0 ? var.proxy_port : ""
        EDGE_TRUSTED_PROXIES     = var.trusted_proxies
        TLS_CERTIFICATE          = "/secrets/tls.pem" # with its key, so that nginx reads no half of a new pair
        CONSOLE_ROOT             = "/app/console"
        HSTS_MAX_AGE             = var.hsts_max_age
        EDGE_REQUESTS_PER_SECOND = var.edge_requests_per_second
        EDGE_CONCURRENT_REQUESTS = var.edge_concurrent_requests
      }
      dynamic "template" {
        for_each = ["consul/nginx.conf.ctmpl", "consul/nginx.sh", "nomad/tasks/reload.sh"]
        content {
          destination = "local/edge/${trimsuffix(basename(template.value), ".ctmpl")}"
          data        = file(template.value)
          change_mode = "noop" # reload.sh follows the configuration
          wait {
            min = "250ms" # collects what changes together
            max = "2s"    # below the shutdown_delay of api and calls, with the second that reload.sh takes
          }
        }
      }
      template {
        destination = "secrets/tls.pem"
        data        = "{{ with nomadVar \"nomad/jobs/nginx\" }}{{ .tls_certificate }}\n{{ .tls_key }}{{ end }}"
        perms       = "0400"
        uid         = 65534 # of the task
        gid         = 65534
        change_mode = "noop" # as above
      }
      resources {
        cpu        = 150 # MHz, a share and not a limit
        memory     = 64  # MB
        memory_max = 512 # MB: two workers of 25 MB at 1,000 requests in flight, and up to 40 old ones (consul/nginx.sh)
      }
      logs { max_files = 10 } # of 10 MB each: 250,000 requests
    }
  }
}
