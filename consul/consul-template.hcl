# nginx on a machine without Nomad, from the same template:
#
#   bun run services/console/build.ts /srv/prosaas-console
#   export LISTEN_HOST=0.0.0.0 HTTP_PORT=80 HTTPS_PORT=443 CONSOLE_ROOT=/srv/prosaas-console
#   export RUN_DIR=/run/prosaas-edge && install -d -m 700 $RUN_DIR
#   export TLS_CERTIFICATE=/etc/prosaas/tls.crt TLS_KEY=/etc/prosaas/tls.key
#   consul-template -config consul/consul-template.hcl
#
# Run from the checkout's root; Consul's address is CONSUL_HTTP_ADDR.

consul {
  # 0 = for ever: nginx goes on serving the last configuration through any outage of Consul.
  retry {
    enabled  = true
    attempts = 0
  }
}

template {
  source      = "consul/nginx.conf.ctmpl"
  destination = "/run/prosaas-edge/nginx.conf"
  perms       = "0600"

  wait {
    min = "250ms"
    max = "2s" # below the shutdown_delay of api and calls
  }
}

exec {
  command       = ["/bin/sh", "consul/nginx.sh", "/run/prosaas-edge/nginx.conf"]
  splay         = "0s"
  reload_signal = "SIGHUP"
  kill_signal   = "SIGTERM"
  kill_timeout  = "30s"
}
