# One door. Nothing here is needed to build or test: `.ci/run` and `tests/run` work without `just`.

# What there is
default:
    @just --list

# Format, lints, types: quick
check:
    cargo fmt --check
    cargo clippy --locked --all-targets --features testing -- -D warnings
    cargo check --locked

# Every test
test *ARGS:
    ./tests/run {{ARGS}}

# One fuzz target for a while; needs a nightly toolchain and cargo-fuzz
fuzz TARGET SECONDS="60":
    cargo +nightly fuzz run {{TARGET}} -- -max_total_time={{SECONDS}}

# The benchmarks
bench *ARGS:
    cargo bench --features testing {{ARGS}}

# The library's documentation, and its examples as tests
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
    cargo test --locked --features testing --doc

# Exactly what a change must pass
ci:
    ./.ci/run

# Dependencies: duplicates and banned ones, licences, sources
deny:
    cargo deny --locked check bans licenses sources

# Disks that fail, power cuts, kills, damage, full disks, and writers side by side: a seeded slice, which `.ci/run` runs, too
faults-quick:
    ./tests/run -E 'binary(robustness) + binary(explore) + binary(gc) + binary(repack) + binary(check) + test(forget)'

# The same with all faults at all operations, every byte flipped, all schedules and long random walks: hours. WARP_SECONDS
# bounds each suite of the fault matrix; what it has done by then is printed
faults:
    WARP_LONG=1 ./tests/run --profile long --no-capture -E 'binary(robustness) + binary(explore) + binary(gc) + binary(repack) + binary(sync) + binary(serve) + binary(spread)'

# Real processes on a real kernel: kills, races, full disks, flipped bytes, and power cuts of ext4, xfs and btrfs (as root): hours.
# PROGRAM is warp, git, git-fsync, restic or borg; ARGS may say --binary FILE, --seed S, --dir DIR
faults-real PROGRAM="warp" *ARGS:
    #!/usr/bin/env bash
    set -uo pipefail
    cargo build --locked --release --features testing || exit
    failed=0
    for row in "kill --count 2000" "race --count 2000" "fill --count 800" "flip --count 600" \
        "replay --fs ext4 --count 3000" "replay --fs xfs --count 1000" "replay --fs btrfs --count 1000"; do
        python3 tests/faults/blackbox.py $row --program {{PROGRAM}} {{ARGS}} || failed=1
    done
    exit $failed
