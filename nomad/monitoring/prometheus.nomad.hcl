# Metrics and alerts: Debian's prometheus, and its prometheus-blackbox-exporter, which reads the edge's certificate. The
# nodes need both packages. Targets come from Consul (targets.yml.ctmpl), alerts from rules.yml. metrics_token in
# nomad/jobs/prometheus is the METRICS_TOKEN of the services.

variable "monitoring_pool" { default = "default" } # the nodes that it may run on
variable "host_network" { default = "default" }    # of the client; its address is what tasks listen on
variable "agents_scheme" { default = "https" }     # of Nomad's agents: http where they run without TLS

job "prometheus" {
  node_pool = var.monitoring_pool
  priority  = 40 # services come first

  group "prometheus" {
    network {
      port "http" { host_network = var.host_network }
      port "probe" { host_network = "loopback" } # for Prometheus only
    }
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    ephemeral_disk { # it goes along in a drain, and is lost with the node
      sticky  = true
      migrate = true
      size    = 3072 # MB: retention.size, and the log of what is in no block yet
    }

    service {
      name = "prometheus"
      port = "http"
      check {
        name     = "ready"
        type     = "http"
        path     = "/-/ready"
        interval = "5s"
        timeout  = "2s" # it answers from memory, within milliseconds
      }
    }

    dynamic "task" {
      for_each = { # memory in MB: 45 and 13 when idle; an allocation has up to 1,000 series, of about 8 kB
        prometheus = {
          memory = { reserve = 256, max = 1024 }
          args = ["--config.file=/secrets/prometheus.yml", "--web.listen-address=$${NOMAD_ADDR_http}",
          "--storage.tsdb.path=/alloc/data/metrics", "--storage.tsdb.retention.size=2GB"] # two weeks of 20 allocations
        }
        prometheus-blackbox-exporter = {
          memory = { reserve = 16, max = 64 }
          args   = ["--config.file=/secrets/probes.yml", "--web.listen-address=$${NOMAD_ADDR_probe}"]
        }
      }
      labels = [task.key]
      content {
        driver = "exec"
        user   = "nobody"
        consul {} # a token under consul/policies/prometheus.hcl, in CONSUL_HTTP_TOKEN
        config {
          command  = "/usr/bin/${task.key}"
          args     = task.value.args
          cap_drop = ["all"]
        }
        volume_mount {
          volume      = "usr"
          destination = "/usr"
        }
        env { AGENTS_SCHEME = var.agents_scheme }
        dynamic "template" {
          for_each = ["prometheus.yml", "rules.yml", "probes.yml", "targets.yml.ctmpl", "metrics_token.ctmpl"]
          content {
            destination     = "secrets/${trimsuffix(template.value, ".ctmpl")}"
            data            = file("nomad/monitoring/${template.value}")
            left_delimiter  = "@@{" # Prometheus' own templates have Nomad's delimiters
            right_delimiter = "}@@"
            perms           = "0400"
            uid             = 65534 # of the task
            gid             = 65534
            change_mode     = "noop" # targets and the token are followed; a deploy replaces the allocation
          }
        }
        resources {
          cpu        = 100 # MHz, a share and not a limit
          memory     = task.value.memory.reserve
          memory_max = task.value.memory.max
        }
        logs { max_files = 3 } # of 10 MB each
      }
    }
  }
}
