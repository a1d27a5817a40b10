# TLS of every Consul agent of a cluster; one machine on loopback does without. A node's certificate names
# <role>.<datacenter>.consul, localhost, 127.0.0.1 and the node's address.
tls {
  defaults {
    ca_file         = "/etc/prosaas/tls/ca.crt"
    cert_file       = "/etc/prosaas/tls/agent.crt"
    key_file        = "/etc/prosaas/tls/agent.key"
    verify_incoming = true
    verify_outgoing = true
  }

  # Operators have tokens and no certificates.
  https {
    verify_incoming = false
  }

  # Only a server's certificate lets an agent be one.
  internal_rpc {
    verify_server_hostname = true
  }
}

ports {
  https = 8501
}
