#!/usr/bin/env bash
# Full and incremental backup, restore, log archive and one table of a PostgreSQL cluster beside its peers, in the
# same rounds of an outside harness that makes the cluster and measures each side (wall, CPU of command and server,
# peak memory of the process tree, bytes written and stored). The harness takes planc's commands from the environment:
# PLANC_FULL, PLANC_INCR, PLANC_RESTORE, PLANC_DELTA, PLANC_ONEDB, PLANC_PUSH, PLANC_GET, PLANC_PITR, PLANC_MANY.
#
# Run as root: HARNESS=FOLDER tests/bench/postgres.sh full|incr|restore|wal|stream|startup|table|many [CASES]
#   full     a full copy (targets F)
#   incr     changes only; planc's full is taken before the first round, unmeasured, as those of the peers are; from then
#            on the log goes to planc (I)
#   restore  the whole; over a folder in which PERCENT=1 (0: nothing) of the files are damaged; one database (R)
#   wal      a backlog through the server's archiver and replay; SPOOL=1 lets planc work ahead of the server (W)
#   stream   the backlog of `wal` over a slot until all of it is stored, beside the server's own receiver (W6)
#   startup  a push with nothing to do, many times (W3)
#   table    one table back at a moment: planc's own copy and log of the same cluster are made first, with as much work
#            and the same accident as the harness makes for the peers; what planc predicts is printed (P)
#   many     20,000 relations: full, restore, nothing changed (M)
# CASES is a pattern of labels. ROUNDS=3, QUIET_WAIT=0, BENCH_DIR=/tmp/plan-bench.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:?full, incr, restore, wal, stream, startup, table or many} cases=${2:-pgbackrest-2.45-(incr-)?lz4|planc}
harness=${HARNESS:?the folder of the harness}
export BENCH_DIR=${BENCH_DIR:-/tmp/plan-bench} PGPORT=${PGPORT:-54329} QUIET_WAIT=${QUIET_WAIT:-0}
top=$BENCH_DIR programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
cargo build --release --quiet
install -D -m 755 target/release/planc "$top/bin/planc"
planc=$top/bin/planc as="runuser -u postgres -- $top/bin/planc"

# one table to a moment, of the cluster that has it
rescue='recovery one_table {
  for human error
  restore service bench to spare from nearest
  replay log to restore point "planc_accident"
  extract table "js" into database mixed as "rescued_by_planc"
  probe mixed "select count(*) from rescued_by_planc.js" > 0
  finish within 1h
}'

# site NAME FOLDER-OF-CLUSTER PORT SOCKET DEVICE [PARTS [STATE]]: a plan that keeps one cluster on one device
site() {
    local site=$top/planc/$1 declared="" parts="" recovery=""
    if [ -n "${6:-}" ]; then
        declared="tablespace fast, slow; database mixed" parts=", tablespace fast, tablespace slow" recovery=$rescue
    fi
    mkdir -p "$site"
    cat > "$site/bench.plan" <<PLAN
planc 1
plan bench
timezone UTC
environment bench inventory "bench.yaml"
service bench is postgresql {
  ${declared/; /$'\n'  }
}
backup everything of base$parts {
  physical full every 30d
  physical incremental every 1s
  store on near
  retain window 40d
  compress zstd 1
  parallel 2
  encrypt none
}
archive wal of bench {
  ship every 1min to near
  retain window 41d
  compress zstd 1
  encrypt none
}
$recovery
PLAN
    cat > "$site/bench.yaml" <<YAML
inventory: 1
sites: {here: {}}
hosts: {server: {site: here}, spare: {site: here}}
services:
  bench:
    engine: postgresql
    version: "$(basename "$(dirname "$programs")")"
    host: server
    path: $2
    programs: $programs
    connect: {socket: $4, port: $3, user: postgres}
devices:
  near: {site: here, path: $5}
state: ${7:-$site/state}
facts: bench.facts.yaml
YAML
    chown -R postgres "$site"
}

# fresh NAME DEVICE ARCHIVE-SCRIPT SOCKET: a script that empties the device and sends the cluster's log there. The
# archiver never meets a device that is gone (it would rest for a minute), and a new piece of log is begun: what the
# server archived before is gone with the device.
fresh() {
    local site=$top/planc/$1
    cat > "$site/fresh.sh" <<FRESH
printf '#!/bin/bash\nexit 0\n' > '$3.next' && chmod 755 '$3.next' && mv '$3.next' '$3' && sleep 1
rm -rf '$2' '$site/state' '$site/based' && install -d -o postgres '$2'
$as device init --all --plan $site/bench.plan > /dev/null
printf '#!/bin/bash\nexec $planc log push --plan $site/bench.plan --service bench "\$1"\n' > '$3.next'
chmod 755 '$3.next' && mv '$3.next' '$3'
runuser -u postgres -- $programs/psql -XAtq -h $4 -p $PGPORT -c "select pg_logical_emit_message(false, 'x', 'y')" > /dev/null
FRESH
}

# run NAME WORDS…: planc on a site
run() { local site=$top/planc/$1; shift; echo "cd $site && $as $* --plan $site/bench.plan"; }

site main "$top/pg/data" "$PGPORT" "$top/sock" "$top/planc/main/near" parts
fresh main "$top/planc/main/near" "$top/archive.sh" "$top/sock"
main=$top/planc/main
sql="runuser -u postgres -- $programs/psql -XAtq -h $top/sock -p $PGPORT"

# a full copy, work, the moment, the accident; all log up to it is stored when it ends
prepare_table() {
    # what an earlier round brought back must not be in the copy
    bash -c "$PLANC_PITR_SETUP"
    bash "$main/fresh.sh" && bash -c "$PLANC_FULL"
    for k in 1 2; do
        runuser -u postgres -- "$programs/pgbench" -n -c 2 -j 2 -t 2500 --random-seed=$((500 + k)) \
            -h "$top/sock" -p "$PGPORT" bench > /dev/null 2>&1
        $sql -d bench -c "update pgbench_accounts set abalance = abalance + $k where aid % 60 = $k"
    done
    $sql -c "select pg_create_restore_point('planc_accident')" > /dev/null
    $sql -d mixed -c "delete from js where id % 2 = 1"
    bash -c "$(run main run wal --quiet)"
}

# one table: what the peers' accident deletes is put in again, so that both sides bring back the whole table
table() {
    if [ ! -e "$top/pitr/ready" ]; then
        $sql -d mixed -c "create table if not exists js_kept as table js"
    fi
    ROUNDS=0 bash "$harness/50_pitr_table.sh"
    $sql -d mixed -c "truncate js" -c "insert into js select * from js_kept"
    prepare_table
    bash -c "$(run main survey)" > /dev/null || true
    bash -c "$(run main recover one_table --dry-run)"
    CASES=$cases bash "$harness/50_pitr_table.sh"
}

# the peers' cases, then planc's, over a cluster of its own that the first call makes
many() {
    local rest=$top-many/out/f-new
    site many "$top-many/pg/data" "$PGPORT" "$top-many/sock" "$top/planc/many/near"
    fresh many "$top/planc/many/near" "$top-many/archive.sh" "$top-many/sock"
    export PLANC_MANY="$(run many run everything --quiet)" PLANC_MANY_SETUP="bash $top/planc/many/fresh.sh"
    export PLANC_MANY_STORED=$top/planc/many/near
    ROUNDS=${ROUNDS:-3} CASES=$cases bash "$harness/70_manyrel.sh"
    (
        export BENCH_DIR=$top-many
        . "$harness/env.sh"
        [ -e "$PGDATA/postmaster.pid" ] || pgstart
        bash "$top/planc/many/fresh.sh" && bash -c "$PLANC_MANY"
        for ((i = 0; i < ${ROUNDS:-3}; i++)); do
            m --group manyrel --label planc-restore --runs 1 --cache cold --stored "$rest" \
                --setup "rm -rf '$rest'; install -d -o postgres '$rest'" -- \
                bash -c "$(run many restore bench --at backup --to "$rest/planc" --yes --quiet)"
            m --group manyrel --label planc-incr0 --runs 1 --cache cold --server "$PGDATA" \
                --stored "$PLANC_MANY_STORED" --setup "sleep 1.1" -- bash -c "$PLANC_MANY"
        done
        rm -rf "$rest"
        pgstop
        python3 "$harness/report.py"
    )
}

# a segment that is stored already, pushed many times: one that a worker ahead of the server stored, and one that has to be
# looked for on the device
startup() {
    bash "$main/fresh.sh" && bash -c "$PLANC_FULL"
    local segment times=100 push
    segment=$(ls -t "$top/pg/data/pg_wal" | grep -E '^[0-9A-F]{24}$' | sort | head -1)
    push="$planc log push --plan $main/bench.plan --service bench"
    measured() {
        runuser -u postgres -- bash -c "cd $top/pg/data; time (for ((i = 0; i < $times; i++)); do $1; done)"
    }
    echo "$times empty programs:"; measured /bin/true
    echo "$times times planc --version:"; measured "$planc --version > /dev/null"
    rm -rf "$top/planc/spool" && install -d -o postgres "$top/planc/spool"
    runuser -u postgres -- bash -c "cd $top/pg/data; touch pg_wal/archive_status/$segment.ready; $push --spool $top/planc/spool pg_wal/$segment"
    echo "$times pushes of what a worker stored:"; measured "$push --spool $top/planc/spool pg_wal/$segment"
    echo "$times pushes of what is stored:"; measured "$push pg_wal/$segment"
}

# the harness removes the folder of planc's log before each round: what finds no device makes one
wal() {
    local site=$top/planc/wal device=$top/wal/planc spool=""
    site wal "$top/pg/data" "$PGPORT" "$top/sock" "$device" parts
    install -d -o postgres "$top/planc/spool"
    [ "${SPOOL:-0}" = 0 ] || spool="--spool $top/planc/spool --workers 2"
    mkdir -p "$top/wal" && chown postgres "$top/wal"
    local ready="[ -e $device/planc-device ] || { mkdir -p $device && $planc device init --all --plan $site/bench.plan >&2; }"
    export PLANC_PUSH="$ready; exec $planc log push --plan $site/bench.plan --service bench $spool %p"
    # behind the target lies log that other cases archived while planc was not asked: a hole that the server meets when
    # it looks ahead, and that a case beside it does not tell from the end of the log
    export PLANC_GET="$planc log fetch --plan $site/bench.plan --service bench --spool $top/planc/spool --workers 2 %f %p || exit 1"
    bash "$harness/40_wal.sh"
}

# the harness's receivers first, in its own rounds; then planc until its device holds as many segments
stream() {
    local site=$top/planc/stream device=$top/wal/stream
    site stream "$top/pg/data" "$PGPORT" "$top/sock" "$device"
    sed -i 's/ship every 1min to near/stream to near lag <= 1 GiB/' "$site/bench.plan"
    CASES=${cases/planc/pg_receivewal} bash "$harness/40_wal.sh"
    cat > "$site/drain.sh" <<DRAIN
cd $site; $as log stream bench --slot rcv --plan $site/bench.plan &
until [ "\$(find $device -path '*logs*' -type f | wc -l)" -ge \$(wc -l < $top/wal/segs) ]; do sleep 0.05; done
kill -TERM \$!; wait
DRAIN
    cat > "$site/fresh.sh" <<FRESH
rm -rf '$device' '$site/state' && install -d -o postgres '$device'
$as device init --all --plan $site/bench.plan > /dev/null
$sql -c "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = 'rcv'" > /dev/null
$sql -c "select pg_copy_physical_replication_slot('src', 'rcv')" > /dev/null
FRESH
    (
        . "$harness/env.sh"
        for ((i = 0; i < ROUNDS; i++)); do
            m --group wal-push --label planc-stream --runs 1 --cache warm --server "$PGDATA" --stored "$device" \
                --note "$(wc -l < "$top/wal/segs") segments" --setup "bash $site/fresh.sh" -- bash "$site/drain.sh"
        done
    )
}

export PLANC_FULL="$(run main run everything --quiet)" PLANC_FULL_SETUP="bash $main/fresh.sh"
export PLANC_FULL_STORED="$main/near" PLANC_INCR_STORED="$main/near"
cat > "$main/base.sh" <<BASE
[ -e '$main/based' ] || { bash '$main/fresh.sh' && $PLANC_FULL && touch '$main/based'; }
sleep 1.1  # until the next incremental is due
BASE
export PLANC_INCR="$PLANC_FULL" PLANC_INCR_SETUP="bash $main/base.sh"
rest=$top/rest/new
export PLANC_RESTORE="$(run main restore bench --at backup --to "$rest/planc" --relocate fast="$rest/ts/fast" --relocate slow="$rest/ts/slow" --yes --quiet)"
export PLANC_RESTORE_SETUP="rm -rf '$rest'; install -d -o postgres '$rest' '$rest/ts'"
export PLANC_ONEDB="${PLANC_RESTORE/ --to / --database mixed --to }" PLANC_ONEDB_SETUP="$PLANC_RESTORE_SETUP"
# over the folder that a restore left, which is a service of its own place here
site delta "$rest/planc/data" $((PGPORT + 2)) "$top/sock" "$main/near" parts "$main/state"
export PLANC_DELTA="$(run delta restore bench --delta --at backup --yes --quiet)"
export PLANC_DELTA_SETUP="$PLANC_RESTORE_SETUP; $PLANC_RESTORE; [ ${PERCENT:-1} = 0 ] || python3 $harness/damage.py $rest ${PERCENT:-1}"
export PLANC_PITR="$(run main recover one_table --yes --quiet)"
export PLANC_PITR_SETUP="$sql -d mixed -c 'drop schema if exists rescued_by_planc cascade'"
export PLANC_PITR_STORED="$main/near"
export CASES=$cases ROUNDS=${ROUNDS:-3} WARM_ROUNDS=${WARM_ROUNDS:-0}
[ "$what" = many ] || [ -e "$top/pg/data/postmaster.pid" ] || (. "$harness/env.sh" && pgstart)
case $what in
    full) bash "$harness/10_full.sh" ;;
    incr) rm -f "$main/based"; bash "$harness/20_incr.sh" ;;
    restore) bash "$main/fresh.sh" && bash -c "$PLANC_FULL" && bash "$harness/30_restore.sh" ;;
    wal) wal ;;
    stream) stream ;;
    startup) startup ;;
    table) table ;;
    many) many ;;
    *) echo "$what is no case" >&2; exit 2 ;;
esac
[ "$what" = many ] || [ "$what" = startup ] || python3 "$harness/report.py"
