# TLS of every Nomad agent of a cluster; one machine on loopback does without. A node's certificate names
# <role>.<region>.nomad, localhost, 127.0.0.1 and the node's address.
tls {
  http = true
  rpc  = true

  ca_file   = "/etc/prosaas/tls/ca.crt"
  cert_file = "/etc/prosaas/tls/agent.crt"
  key_file  = "/etc/prosaas/tls/agent.key"

  # Only a server's certificate lets an agent be one.
  verify_server_hostname = true

  # Operators have tokens and no certificates.
  verify_https_client = false
}
