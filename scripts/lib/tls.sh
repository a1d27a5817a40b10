# The edge's certificate: a certificate authority of this stack's own and a leaf signed by it.
# shellcheck shell=bash

# tls_ensure — $STATE_DIR/tls/{ca,edge}.{crt,key}; the leaf is renewed in its last 30 days.
tls_ensure() {
  local folder=$STATE_DIR/tls month=$((30 * 24 * 3600))
  (
    umask 077
    mkdir -p "$folder"
    cd "$folder"
    if [[ ! -s ca.crt ]] || ! openssl x509 -in ca.crt -noout -checkend "$month" >/dev/null; then
      openssl ecparam -name prime256v1 -genkey -noout -out ca.key
      openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=ProSaaS $STACK local authority" -out ca.crt.new \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
      mv ca.crt.new ca.crt
      rm -f edge.crt
    fi
    if [[ ! -s edge.crt ]] || ! openssl x509 -in edge.crt -noout -checkend "$month" >/dev/null; then
      openssl ecparam -name prime256v1 -genkey -noout -out edge.key
      openssl req -new -key edge.key -subj /CN=localhost -out edge.csr
      # 825 days: the most that browsers accept.
      openssl x509 -req -in edge.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 825 \
        -out edge.crt.new -extfile <(
        printf '%s\n' "subjectAltName=DNS:localhost,DNS:$(hostname),IP:127.0.0.1,IP:::1" \
          basicConstraints=CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth
      ) 2>/dev/null
      mv edge.crt.new edge.crt
      rm -f edge.csr
    fi
  ) || fail "openssl could not make the edge's certificate in $folder."
}
