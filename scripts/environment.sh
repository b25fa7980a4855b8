# Sourced by scripts/run and scripts/test: makes .venv with the locked packages and the project in it, once.
#
# What a set-up was made from is written last of all and in one step (the stamp), so that one that was stopped half
# way is made again; a lock on the folder keeps two calls at the same time from working on one another's. A call that
# finds everything there costs one start of Python.

ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd -P)
VENV="$ROOT/.venv"
PYTHON=${PYTHON:-python3}
readonly ROOT VENV PYTHON

say() { printf '%s\n' "$*" >&2; }

stop() {
    local code=$1
    shift
    say "revisit: $*"
    exit "$code"
}

# What a command says is shown only where it fails, and then all of it.
loudly_if_wrong() {
    local output
    output=$("$@" 2>&1) || { say "$output" && return 1; }
}

need_python() {
    command -v "$PYTHON" >/dev/null ||
        stop 2 "$PYTHON is not installed. Run once, as root: apt-get install python3 python3-venv"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        stop 2 "$("$PYTHON" --version) is too old, 3.11 or newer is needed. Name it: PYTHON=/path/to/python3.11 $0"
}

has_venv() { "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }

# Debian keeps what `python3 -m venv` needs in a package of its own.
need_venv() {
    if has_venv; then return; fi
    local as_root=() by_hand="Run once, as root: apt-get install python3-venv"
    command -v apt-get >/dev/null ||
        stop 2 "$PYTHON lacks venv or ensurepip. Name another: PYTHON=/path/to/python3.11 $0"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || stop 2 "the Debian package python3-venv is missing. $by_hand"
        # With nobody there to type a password, sudo would fail or wait.
        [ -t 0 ] || sudo -n true 2>/dev/null || stop 2 "the Debian package python3-venv is missing. $by_hand"
        as_root=(sudo)
    fi
    say "The Debian package python3-venv is missing: installing it with ${as_root[*]:+sudo }apt-get."
    loudly_if_wrong "${as_root[@]}" apt-get update || stop 3 "apt-get update failed. $by_hand"
    loudly_if_wrong "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends python3-venv || stop 3 "it could not be installed. $by_hand"
    has_venv || stop 2 "$PYTHON is not Debian's own and lacks venv or ensurepip. Try: PYTHON=/usr/bin/python3 $0"
}

has_browser() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }

# The tests of pages want a real browser; where none can be had they are skipped, and it is said.
offer_browser() {
    if has_browser; then return; fi
    local as_root=() by_hand="To run them: apt-get install chromium, as root."
    if ! command -v apt-get >/dev/null; then
        say "Skipped: tests in a browser, since none is installed and there is no apt-get." && return
    fi
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
            say "Skipped: tests in a browser, since Chromium is not installed. $by_hand" && return
        fi
        as_root=(sudo)
    fi
    say "The Debian package chromium is missing: installing it for the tests with ${as_root[*]:+sudo }apt-get."
    if ! loudly_if_wrong "${as_root[@]}" apt-get update || ! loudly_if_wrong "${as_root[@]}" \
        env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; then
        say "Skipped: tests in a browser, since Chromium could not be installed (the reason stands above). $by_hand"
    fi
}

install() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps "$@" >&2 ||
        stop 3 "the packages could not be installed (pip's reason stands above). Then run the same command again."
}

# A set-up fits one lock file, one Python and, since it holds absolute paths, one place.
fingerprint() {
    "$PYTHON" -c '
import hashlib, sys
parts = [" ".join(sys.argv).encode(), sys.version.encode(), *(open(path, "rb").read() for path in sys.argv[1:])]
print(hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest())
' "$ROOT/$1" "$ROOT/pyproject.toml"
}

is_ready() { [ "$(cat "$VENV/$1.stamp" 2>/dev/null)" = "$(fingerprint "$1")" ]; }

write_stamp() {
    fingerprint "$1" >"$VENV/stamp.part"
    mv "$VENV/stamp.part" "$VENV/$1.stamp"
}

# --clear, because packages that the lock no longer names would stay behind.
make_venv() {
    need_venv
    say "Setting up (once): 1 of 3, an environment in .venv"
    "$PYTHON" -m venv --clear "$VENV" >&2 || stop 2 "no environment could be made in $VENV (the reason stands above)."
    say "Setting up (once): 2 of 3, $(grep -c '==' "$ROOT/$1") packages of $1"
    install --require-hashes --only-binary :all: -r "$ROOT/$1"
    say "Setting up (once): 3 of 3, revisit itself"
    install --no-build-isolation -e "$ROOT"
    write_stamp "$1"
    say "Setting up (once): 3 of 3 done."
}

# The tests' lock names all of the product's packages, at the same versions: what is there stays.
add_test_tools() {
    say "Setting up (once): the tools of the tests"
    install --require-hashes --only-binary :all: -r "$ROOT/requirements-dev.lock"
    write_stamp requirements-dev.lock
    say "Setting up (once): done."
}

lock_folder() {
    # Absent only where there is no util-linux.
    command -v flock >/dev/null || return 0
    flock -n 9 || { say "Another call is setting up: waiting for it." && flock 9; }
}

product_is_ready() { is_ready requirements.lock || is_ready requirements-dev.lock; }

# What is ready is asked again under the lock: another call may have made it meanwhile.
set_up_product() {
    need_python
    if product_is_ready; then return; fi
    {
        lock_folder
        if ! product_is_ready; then make_venv requirements.lock; fi
    } 9<"$ROOT"
}

set_up_tests() {
    need_python
    if is_ready requirements-dev.lock; then return; fi
    {
        lock_folder
        if is_ready requirements-dev.lock; then return; fi
        if is_ready requirements.lock; then add_test_tools; else make_venv requirements-dev.lock; fi
    } 9<"$ROOT"
}
