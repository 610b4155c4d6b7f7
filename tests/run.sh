#!/usr/bin/env bash
# Runs the whole test suite on the wheel, in a virtual environment of its own, and installs what it
# needs: Chromium, nginx, PostgreSQL, MariaDB, FUSE, R and npm by apt-get where it may,
# configurable-http-proxy and TypeScript by npm, the rest by uv. macOS has none of these: the core is
# tests/glue, shared, supervisor and server.
#
#   tests/run.sh                       everything
#   tests/run.sh --oldest              the core, on the oldest supported releases (tests/oldest.txt)
#   tests/run.sh tests/lab -k store    what pytest's arguments select
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

environment=.venv-tests
extras=test,examples
constraints=(-c tests/newest.txt)
selection=(tests)
if [ "${1:-}" = --oldest ]; then
    shift
    environment=.venv-oldest
    extras=test
    constraints=(-c tests/oldest.txt)
    # What the other tests vary is not the release of what this package builds on: the store, clients.
    selection=(tests/glue tests/shared tests/server tests/browser/test_stored_content.py)
    selection+=(tests/browser/test_lab_commands.py)
    for name in access activity conformance control crash end kernel_address lab notebook one_store prestart \
        transport; do
        selection+=("tests/lab/test_$name.py")
    done
fi

packages=()
if [ "$(uname)" = Linux ]; then
    [ -x /usr/bin/chromium ] || packages+=(chromium)
    [ -x /usr/sbin/nginx ] || packages+=(nginx-light)
    compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || packages+=(postgresql)
    [ -x /usr/sbin/mariadbd ] || packages+=(mariadb-server)
    command -v npm >/dev/null || packages+=(npm)
    command -v curl >/dev/null || packages+=(curl)
    command -v fusermount3 >/dev/null || packages+=(fuse3)
    [ -d /usr/lib/R/site-library/IRkernel ] || packages+=(r-base-core r-cran-irkernel)
    [ -d /usr/lib/R/site-library/httr ] || packages+=(r-cran-httr)
fi
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

if [ "$(uname)" = Linux ] && [ ! -x .venv-tests/node/node_modules/.bin/tsc ]; then
    echo "Installing configurable-http-proxy and TypeScript"
    npm install --silent --no-fund --no-audit --prefix .venv-tests/node \
        configurable-http-proxy typescript
fi

echo "Installing the wheel into $environment"
[ -x "$environment/bin/python" ] || "${PYTHON:-python3}" -m venv "$environment"
pip=("$environment/bin/python" -m pip)
[ -x "$environment/bin/uv" ] || "${pip[@]}" install -q uv
# uv takes a tenth of pip's time, and reads none of pip's settings.
setting() { "${pip[@]}" config list 2>/dev/null | sed -n "s/^[^=]*\\.$1='\\(.*\\)'\$/\\1/p" | tail -n 1; }
export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$(setting index-url)}" UV_FIND_LINKS="${UV_FIND_LINKS:-$(setting find-links)}"
install=("$environment/bin/uv" pip install -q --python "$environment/bin/python")
rm -rf build dist ./*.egg-info
"${pip[@]}" wheel -q --no-deps -w dist .
wheel=$(echo dist/*.whl)
"${install[@]}" --compile-bytecode "${constraints[@]}" "$wheel[$extras]"
"${install[@]}" --reinstall --no-deps "$wheel"
rm -rf build ./*.egg-info
# jsonschema takes this where it finds it. Its grammar costs each start of Jupyter two seconds of processor, and
# there are hundreds.
"${pip[@]}" uninstall -q -y rfc3987-syntax

export PATH="$PWD/$environment/bin:$PWD/.venv-tests/node/node_modules/.bin:$PATH"

# On a disk, MLflow waits for each step of making its database: six seconds in place of two.
memory=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1 || true)
if [ -w /dev/shm ] && [ "${memory:-0}" -gt 10000000 ] && ! grep -q ' /dev/shm .*noexec' /proc/mounts; then
    TMPDIR=$(mktemp -d /dev/shm/t.XXXXXX) # short: paths of sockets have a limit
    chmod 755 "$TMPDIR" # PostgreSQL runs as a user of its own
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
fi
if [ $# -gt 0 ]; then
    pytest "$@"
    exit
fi
if [ "$environment" = .venv-tests ]; then # the types are those of the newest releases
    ruff check .
    ruff format --check .
    mypy
    tsc --project mlflow_proxy/lab/jsconfig.json
    check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
    # Reported only: an advisory of today does not make yesterday's commit wrong.
    timeout 60 pip-audit --progress-spinner off --timeout 10 || echo "pip-audit found something, or could not ask"
fi
# Three at a time on two cores: tests wait for what they start about as long as they compute.
code=0
pytest -n 3 --durations=30 --dist loadfile --no-loadscope-reorder "${selection[@]}" || code=$?
# On a busy machine a test may miss its deadline: what failed has to pass by itself.
if [ "$code" = 1 ]; then
    echo "Running again, one at a time, what failed"
    code=0
    pytest --last-failed --last-failed-no-failures none "${selection[@]}" || code=$?
fi
exit "$code"
