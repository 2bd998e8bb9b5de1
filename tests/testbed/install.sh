#!/bin/sh
# Install the Debian or Ubuntu packages that the tests and the demo need, if they are missing.
#
#   install.sh [PART...]     without parts: venv engine trees registry ssh busybox
#
#   python      python3, unless PYTHON names another
#   venv        for `python3 -m venv` and pip
#   engine      dockerd: the tests start private Docker Engines
#   any-engine  the same, unless an engine answers at DOCKER_HOST or /var/run/docker.sock
#   podman      podman: the tests start private Podman services
#   trees       debootstrap: the tests create trees of newer Debian releases, for their engines and Pythons
#   registry    docker-registry and htpasswd: the tests start private registries
#   compiler    a C compiler and curl: the benchmarks compile their engine, and compare with curl
#   busybox     a static busybox, for the tests' base image
#   browser     Chromium without a screen: the tests look at the documentation
#
# Only programs are installed: no service is started. PYTHON names the python3 to use.

set -eu

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
PYTHON=${PYTHON:-python3}
POLICY=/usr/sbin/policy-rc.d # packages run it before they start a service; exit code 101 forbids it

say() { echo "install.sh: $*" >&2; }

fail() {
    say "$*"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

static_busybox() { [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1; }

engine_answers() {
    has "$PYTHON" && "$PYTHON" - 2>/dev/null <<'END'
import os, socket, sys
from urllib.parse import urlsplit

url = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
unix = url.scheme == "unix"
with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as connection:
    connection.settimeout(3)
    connection.connect(url.path if unix else (url.hostname, url.port or 2375))
    if not os.environ.get("DOCKER_TLS_VERIFY"):  # over TLS, a listener is enough
        connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
        sys.exit(not connection.recv(100).startswith(b"HTTP/1.1 200 "))
END
}

# Print the packages that are missing for a part.
lacking() {
    case $1 in
    python) has "$PYTHON" || [ "$PYTHON" != python3 ] || echo python3 ;;
    venv)
        "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
        # Debian's pip needs it; other systems keep their certificates elsewhere.
        [ -e /etc/ssl/certs/ca-certificates.crt ] || ! has apt-get || echo ca-certificates
        ;;
    engine) has dockerd || echo docker.io ;;
    podman) has podman || echo podman ;;
    trees) has debootstrap || echo debootstrap ;;
    any-engine) engine_answers || lacking engine ;;
    registry)
        has docker-registry || echo docker-registry
        has htpasswd || echo apache2-utils
        ;;
    ssh)
        has sshd || echo openssh-server
        has ssh || echo openssh-client
        ;;
    compiler)
        has cc || echo gcc libc6-dev
        has curl || echo curl
        ;;
    busybox) static_busybox || echo busybox-static ;;
    browser) has chromium-headless-shell || echo chromium-headless-shell ;;
    *) fail "unknown part '$1'; the parts are python venv engine any-engine podman trees registry ssh compiler busybox browser" ;;
    esac
}

all_lacking() {
    for part; do
        lacking "$part"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
        -o Dpkg::Use-Pty=0 "$@" </dev/null >/dev/null
}

remove_policy() { as_root rm -f "$POLICY"; }

# Keep packages from starting services while this script runs.
forbid_services() {
    if [ ! -e "$POLICY" ]; then
        trap remove_policy EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
        as_root chmod 755 "$POLICY"
    fi
}

# An existing policy may have let them start.
stop_services() {
    for package; do
        case $package in
        docker.io) as_root service docker stop >/dev/null 2>&1 || true ;;
        podman) as_root service podman stop >/dev/null 2>&1 || true ;;
        docker-registry) as_root service docker-registry stop >/dev/null 2>&1 || true ;;
        esac
    done
}

install() {
    has apt-get || fail "missing: $* (names of Debian packages). This machine has no apt-get: install them by hand." \
        "\`make unit\` runs the tests that do not need them."
    [ "$(id -u)" -eq 0 ] || has sudo || fail "missing: $*. Installing them needs root, or sudo."
    say "installing $* with apt-get; no service is started"
    forbid_services
    apt update || say "apt-get update failed; trying with the present package lists"
    apt install --yes --no-install-recommends "$@" || fail "apt-get could not install $*; see its messages above"
    stop_services "$@"
}

[ $# -gt 0 ] || set -- venv engine trees registry ssh busybox
packages=$(all_lacking "$@")
[ -n "$packages" ] || exit 0
# shellcheck disable=SC2086 # one word per package
install $packages
packages=$(all_lacking "$@")
[ -z "$packages" ] || fail "still missing after the installation:" $packages
say "done"
