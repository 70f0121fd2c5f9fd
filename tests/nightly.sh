#!/usr/bin/env bash
# Runs what does not run on every change, at its full size: every test that is ignored, the long sizes of those that are not,
# the fuzzers, Autobahn, the mutants and the advisories. What the machine has no tool or right for is skipped, and said.
#
#     tests/nightly.sh                  # all, as root, in some ten hours
#     tests/nightly.sh power link       # these
#     FEEDTAPE_SOAK_MINUTES=10 tests/nightly.sh soak
#
# The table at the end is what tests/README.md keeps as "Last results". Ends with 1 if anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."

export CARGO_TERM_COLOR=never
# Another night, other instants; a failure prints the seed that repeats it.
export FEEDTAPE_SEED=${FEEDTAPE_SEED:-$(date -u +%Y%m%d)}
fuzz_seconds=${FUZZ_SECONDS:-1800}
mkdir -p "${CARGO_TARGET_DIR:-target}/nightly"
logs=$(cd "${CARGO_TARGET_DIR:-target}/nightly" && pwd)

wanted=("$@")
results=()
failed=0

# row NAME WHAT NEEDED COMMAND...: runs a row, if it is wanted and each command that it needs is there.
row() {
    local name=$1 what=$2 needed=$3 log=$logs/$1.log begun=$SECONDS result skipped tool
    shift 3
    if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then
        return
    fi
    for tool in $needed; do
        if [ "$tool" = root ]; then
            [ "$(id -u)" = 0 ] || skipped="needs root"
        elif [ "$tool" = nightly ]; then
            rustup run nightly rustc --version >"$log" 2>&1 || skipped="needs the nightly toolchain"
        elif ! command -v "$tool" >"$log"; then
            skipped="needs $tool"
        fi
        if [ -n "${skipped:-}" ]; then
            echo "SKIPPED: $name: $skipped" >&2
            results+=("| $name | $what | SKIPPED: $skipped |")
            return
        fi
    done
    echo "$name: $what"
    if "$@" >"$log" 2>&1; then
        skipped=$(grep -o -m 1 'SKIPPED: .*' "$log")
        result=${skipped:-passed}
        echo "$name: $result" >&2
    else
        result="FAILED, see $log"
        failed=1
        tail -n 40 "$log" >&2
    fi
    results+=("| $name | $what, $((SECONDS - begun)) s | $result |")
}

# ignored TEST NAME: the ignored tests of a file, one after another.
ignored() {
    cargo test --locked --test "$1" "$2" -- --ignored --nocapture --test-threads 1
}

fuzz() {
    cargo +nightly fuzz run --fuzz-dir tests/fuzz "$1" -- -max_total_time="$fuzz_seconds"
}

# Nine of ten mutants of what a session, the store and coverage are made of must be caught; the others are listed.
mutants() {
    cargo mutants --output "$logs" --timeout 600 \
        --file 'src/venue/feed/**' --file 'src/venue/coinflex/**' --file 'src/store/**' --file 'src/model/coverage.rs'
    local caught missed
    caught=$(wc -l <"$logs/mutants.out/caught.txt")
    missed=$(wc -l <"$logs/mutants.out/missed.txt")
    echo "$caught caught, $missed missed"
    cat "$logs/mutants.out/missed.txt"
    [ $((caught * 10)) -ge $(((caught + missed) * 9)) ]
}

# Without the database of advisories there is nothing to compare with.
advisories() {
    local told
    told=$("$@" 2>&1)
    local code=$?
    echo "$told"
    if [ $code -ne 0 ] && grep -qi "fetch" <<<"$told"; then
        echo "SKIPPED: the advisory database cannot be fetched"
        return 0
    fi
    return $code
}

versions() {
    local database
    database=$(mktemp -d)
    echo "commit $(git rev-parse --short HEAD)$(git diff --quiet HEAD || echo ', changed'), $(date -u +%F), $(uname -sr)"
    echo "$(rustc --version), seed $FEEDTAPE_SEED"
    cargo run --quiet --locked -- import tests/fuzz/recorded.capture --into "$database/v.db" >"$logs/versions.log" 2>&1
    echo "SQLite $(cargo run --quiet --locked -- query "$database/v.db" 'SELECT sqlite_version()' --format csv | tail -n 1)"
    rm -r "$database"
}

kills=${FEEDTAPE_KILLS:-2000} histories=${FEEDTAPE_HISTORIES:-10000} minutes=${FEEDTAPE_SOAK_MINUTES:-120}
disk_faults=${FEEDTAPE_DISK_FAULTS:-1000000}

row kill "$kills kills" "" env FEEDTAPE_KILLS="$kills" cargo test --locked --test survival kill -- --nocapture
row disk "each write and sync fails once" "" \
    env FEEDTAPE_DISK_FAULTS="$disk_faults" cargo test --locked --test survival whichever -- --nocapture
row migration "a migration is killed" "" \
    env FEEDTAPE_MIGRATION_KILLS=50 cargo test --locked --test survival migration -- --nocapture
row damage "1,000 damaged files" "" env FEEDTAPE_DAMAGES=1000 cargo test --locked --test survival damage -- --nocapture
row histories "$histories random histories" "" \
    env FEEDTAPE_HISTORIES="$histories" cargo test --locked --test simulated whatever -- --nocapture
row power "loss of power, 40 cuts, and the negative controls" "root mkfs.ext4 losetup" ignored survival power
row readonly "a file system that turns read-only" "root mkfs.ext4 losetup" ignored survival readonly
row link "a link that is cut" "root ip" ignored survival link
row soak "$minutes minutes with a fault a minute" "" env FEEDTAPE_SOAK_MINUTES="$minutes" \
    cargo test --locked --test survival soak -- --ignored --nocapture
row autobahn "RFC 6455 by Autobahn" "python3" tests/autobahn.sh
for target in tests/fuzz/fuzz_targets/*.rs; do
    target=$(basename "$target" .rs)
    row "fuzz-$target" "$fuzz_seconds s" "cargo-fuzz nightly" fuzz "$target"
done
row mutants "9 of 10 mutants of session, store and coverage are caught" cargo-mutants mutants
row deny "bans, licences, sources" cargo-deny cargo deny --locked check bans licenses sources
row advisories "cargo deny" cargo-deny advisories cargo deny --locked check advisories
row audit "cargo audit" cargo-audit advisories cargo audit

echo
versions
echo
echo "| what | size | result |"
echo "|---|---|---|"
printf '%s\n' "${results[@]}"
exit $failed
