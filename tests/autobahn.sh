#!/bin/sh
# Has Autobahn's fuzzing server try the socket that feedtape records with: RFC 6455, sections 1 to 7, 9 and 10 of its
# cases. Says that it skips where the server cannot be had. It is a Python 2 program:
#
#     virtualenv -p python2 autobahn && autobahn/bin/pip install autobahntestsuite
#     WSTEST=autobahn/bin/wstest tests/autobahn.sh
set -eu

wstest=${WSTEST:-wstest}
if ! command -v "$wstest" >/dev/null; then
    echo "SKIPPED: there is no $wstest; install autobahntestsuite, or name it with WSTEST" >&2
    exit 0
fi

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -r "$folder"
}
trap finish EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$folder/server.json" <<JSON
{
    "url": "ws://127.0.0.1:$port", "outdir": "$folder/report", "webport": 0,
    "cases": ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"], "exclude-cases": []
}
JSON

cd "$(dirname "$0")/.."
cargo build --quiet --example echo
"$wstest" --mode fuzzingserver --spec "$folder/server.json" >"$folder/server.log" 2>&1 &
server=$!
tries=0
until python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ]; then
        cat "$folder/server.log" >&2
        exit 1
    fi
    sleep 0.1
done
"${CARGO_TARGET_DIR:-target}/debug/examples/echo" cases "ws://127.0.0.1:$port"

# A case is right, right though not strictly so, or for information; and it closes cleanly.
python3 - "$folder/report/index.json" <<'PYTHON'
import collections
import json
import sys

cases = json.load(open(sys.argv[1]))["feedtape"]
good = {"OK", "NON-STRICT", "INFORMATIONAL"}
bad = [
    f"{name}: {case['behavior']}, closed: {case['behaviorClose']}"
    for name, case in sorted(cases.items())
    if case["behavior"] not in good or case["behaviorClose"] not in good
]
print(*(f"{count} {behavior}" for behavior, count in collections.Counter(c["behavior"] for c in cases.values()).items()))
print("not strict:", *(name for name, case in sorted(cases.items()) if case["behavior"] == "NON-STRICT"))
print(*bad, sep="\n")
sys.exit(bool(bad) or not cases)
PYTHON
