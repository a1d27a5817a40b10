# The Consul servers, beside agent.hcl: three in production. A node's own file adds bootstrap_expect and the management
# token.
server = true

ui_config {
  enabled = true
}
