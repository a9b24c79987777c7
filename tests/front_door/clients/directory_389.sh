#!/bin/bash
# A throwaway 389 Directory Server: directory_389.sh FOLDER PORT [TLS_PORT]. Its package sets servers up for the whole
# machine, in places that it knows: this one has places of its own there, in a mount namespace that the caller has made
# (unshare -m, as root). The entries are read from FOLDER/tree.ldif before it starts; with a TLS_PORT, the certificate of
# its authority is FOLDER/etc/slapd-door/ca.crt, once it runs. It ends with this process.
set -euo pipefail
folder="$1" port="$2" tls_port="${3:-}"
cp -a /etc/dirsrv "$folder/etc"
mkdir -p "$folder/lib" "$folder/log" "$folder/run"
chmod 755 "$folder"
chown dirsrv:dirsrv "$folder"/{lib,log,run}
mount --bind "$folder/etc" /etc/dirsrv
mount --bind "$folder/lib" /var/lib/dirsrv
mount --bind "$folder/log" /var/log/dirsrv
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/dirsrv /run/lock/dirsrv
chown dirsrv:dirsrv /run/dirsrv /run/lock/dirsrv
cat >"$folder/setup.inf" <<END
[general]
config_version = 2
full_machine_name = localhost
strict_host_checking = False
start = False
systemd = False
selinux = False
[slapd]
instance_name = door
port = $port
root_password = secret-of-the-manager
self_sign_cert = $([[ "$tls_port" ]] && echo True || echo False)
${tls_port:+secure_port = $tls_port}
[backend-userroot]
suffix = dc=example,dc=com
create_suffix_entry = False
END
# It starts servers by systemd, which is not asked here.
mkdir "$folder/bin"
cat >"$folder/bin/systemctl" <<END
#!/bin/bash
pid=/run/dirsrv/slapd-door.pid
case "\$1" in
  start)
    ns-slapd -D /etc/dirsrv/slapd-door -i \$pid
    for ((i = 0; i < 300; ++i)); do (: </dev/tcp/127.0.0.1/$port) 2>/dev/null && exit 0; sleep 0.1; done
    exit 1 ;;
  stop)
    kill "\$(cat \$pid)"
    while kill -0 "\$(cat \$pid)" 2>/dev/null; do sleep 0.1; done ;;
  is-active) kill -0 "\$(cat \$pid)" 2>/dev/null ;;
esac
END
chmod +x "$folder/bin/systemctl"
PATH="$folder/bin:$PATH" dscreate from-file "$folder/setup.inf" >"$folder/setup.log" 2>&1 || { cat "$folder/setup.log" >&2; exit 1; }
chown dirsrv:dirsrv "$folder/tree.ldif"
ns-slapd ldif2db -D /etc/dirsrv/slapd-door -n userRoot -i "$folder/tree.ldif" >"$folder/import.log" 2>&1 || { cat "$folder/import.log" >&2; exit 1; }
exec ns-slapd -D /etc/dirsrv/slapd-door -i /run/dirsrv/door.pid -d 0
