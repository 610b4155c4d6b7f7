#!/usr/bin/env bash
# Runs the test suite on the wheel, in virtual environments of its own, and installs what it needs:
# Chromium, nginx, PostgreSQL, MariaDB, FUSE, R and npm by apt-get where it may,
# configurable-http-proxy and TypeScript by npm, the rest by uv. macOS has none of these: the core is
# tests/glue, life, web and server.
#
#   tests/run.sh                       everything, on the newest releases (tests/newest.txt)
#   tests/run.sh --oldest              what depends on a release, on the oldest ones (tests/oldest.txt)
#   tests/run.sh --prereleases         the same, on the newest pre-releases
#   tests/run.sh --both                the first two, one after the other
#   tests/run.sh tests/lab -k store    what pytest's arguments select
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

releases=newest
case "${1:-}" in
    --oldest) releases=oldest && shift ;;
    --both) releases="newest oldest" && shift ;;
    --prereleases) releases=prereleases && shift ;;
esac

environment_of() { # newest, oldest or prereleases
    [ "$1" = newest ] && echo .venv-tests || echo ".venv-$1"
}

install_programs() {
    local packages=()
    [ -x /usr/bin/chromium ] || packages+=(chromium)
    [ -x /usr/sbin/nginx ] || packages+=(nginx-light)
    compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || packages+=(postgresql)
    [ -x /usr/sbin/mariadbd ] || packages+=(mariadb-server)
    command -v npm >/dev/null || packages+=(npm)
    command -v curl >/dev/null || packages+=(curl)
    command -v fusermount3 >/dev/null || packages+=(fuse3)
    [ -d /usr/lib/R/site-library/IRkernel ] || packages+=(r-base-core r-cran-irkernel)
    [ -d /usr/lib/R/site-library/httr ] || packages+=(r-cran-httr)
    if [ ${#packages[@]} -gt 0 ]; then
        if [ "$(id -u)" != 0 ]; then
            echo "Needed, on Debian: sudo apt-get install ${packages[*]}" >&2
            exit 1
        fi
        echo "Installing ${packages[*]}"
        apt-get -qq update
        # The tests start what they need themselves: without a runlevel, no service is started.
        # What Debian recommends includes compilers for R.
        RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
            apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
    fi
    if [ ! -x .venv-tests/node/node_modules/.bin/tsc ]; then
        echo "Installing configurable-http-proxy and TypeScript"
        npm install --silent --no-fund --no-audit --prefix .venv-tests/node \
            configurable-http-proxy typescript
    fi
}

make_environment() { # newest, oldest or prereleases
    local environment option=(-c "tests/$1.txt")
    environment=$(environment_of "$1")
    [ "$1" = prereleases ] && option=(--prerelease allow)
    local install=("$uv" pip install -q --python "$environment/bin/python")
    "${install[@]}" --compile-bytecode "${option[@]}" "$wheel[test]"
    # Of PyTorch and TensorFlow, an example imports a small part.
    [ "$1" = newest ] && "${install[@]}" "${option[@]}" "$wheel[test,examples]"
    "${install[@]}" --reinstall --no-deps "$wheel"
    # jsonschema takes this where it finds it. Its grammar costs each start of Jupyter two seconds
    # of processor, and there are many.
    "$uv" pip uninstall -q --python "$environment/bin/python" rfc3987-syntax 2>/dev/null || true
}

check() { # the sources; the types are those of the newest releases
    PATH="$PWD/.venv-tests/bin:$PWD/.venv-tests/node/node_modules/.bin:$PATH"
    timeout 60 pip-audit --progress-spinner off --timeout 10 &
    local audit=$!
    ruff check .
    ruff format --check .
    mypy
    tsc --project mlflow_proxy/lab/jsconfig.json
    check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
    check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
    check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
    check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/{bug,feature}.yml
    check-jsonschema --builtin-schema vendor.readthedocs .readthedocs.yaml
    sphinx-build -W --keep-going -q -d .venv-tests/doctrees docs .venv-tests/docs
    # Reported only: an advisory of today does not make yesterday's commit wrong.
    wait "$audit" || echo "pip-audit found something, or could not ask"
}

run_tests() { # newest, oldest or prereleases, then the selection
    local code=0 path
    path="$PWD/$(environment_of "$1")/bin:$PWD/.venv-tests/node/node_modules/.bin:$PATH"
    # Three at a time on two cores: with four, tests miss their deadlines and none is done earlier.
    PATH="$path" pytest -n 3 --durations=30 --dist loadfile --no-loadscope-reorder "${@:2}" || code=$?
    # On a busy machine a test may miss its deadline: what failed has to pass by itself.
    if [ "$code" = 1 ]; then
        echo "Running again, one at a time, what failed"
        code=0
        PATH="$path" pytest --last-failed --last-failed-no-failures none "${@:2}" || code=$?
    fi
    return "$code"
}

echo "Installing the wheel into" $(for each in $releases; do environment_of "$each"; done)
for each in $releases; do
    [ -x "$(environment_of "$each")/bin/python" ] || "${PYTHON:-python3}" -m venv "$(environment_of "$each")"
done
environment=$(environment_of "${releases%% *}")
pip=("$environment/bin/python" -m pip)
uv=$environment/bin/uv
[ -x "$uv" ] || "${pip[@]}" install -q uv
# uv takes a tenth of pip's time, and reads none of pip's settings.
setting() { "${pip[@]}" config list 2>/dev/null | sed -n "s/^[^=]*\\.$1='\\(.*\\)'\$/\\1/p" | tail -n 1; }
export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$(setting index-url)}" UV_FIND_LINKS="${UV_FIND_LINKS:-$(setting find-links)}"
wheel=${WHEEL:-} # one that is built already
if [ -z "$wheel" ]; then
    rm -rf build dist ./*.egg-info
    "${pip[@]}" wheel -q --no-deps -w dist .
    rm -rf build ./*.egg-info
    wheel=$(echo dist/*.whl)
fi
started=()
if [ "$(uname)" = Linux ]; then
    install_programs & started+=($!)
fi
for each in $releases; do
    make_environment "$each" & started+=($!)
done
for each in "${started[@]}"; do wait "$each"; done

# On a disk, MLflow waits for each step of making its database: six seconds in place of two.
memory=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1 || true)
if [ -w /dev/shm ] && [ "${memory:-0}" -gt 10000000 ] && ! grep -q ' /dev/shm .*noexec' /proc/mounts; then
    TMPDIR=$(mktemp -d /dev/shm/t.XXXXXX) # short: paths of sockets have a limit
    chmod 755 "$TMPDIR" # PostgreSQL runs as a user of its own
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
fi
if [ $# -gt 0 ]; then
    PATH="$PWD/$environment/bin:$PWD/.venv-tests/node/node_modules/.bin:$PATH" pytest "$@"
    exit
fi
for each in $releases; do
    if [ "$each" = newest ]; then
        checked=$(mktemp) # what is told after the tests, which wait for what they start
        check >"$checked" 2>&1 & checking=$!
        code=0
        run_tests newest tests || code=$?
        wait "$checking" || code=$?
        cat "$checked"
        [ "$code" = 0 ] || exit "$code"
    else
        run_tests "$each" -m release tests
    fi
done
