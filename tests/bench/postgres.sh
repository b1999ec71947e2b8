#!/usr/bin/env bash
# Full and incremental backup, restore and log archive of a PostgreSQL cluster beside its peers, in the
# same rounds of an outside harness that makes the cluster and measures each side (wall, CPU of command and server,
# peak memory of the process tree, bytes stored). The harness takes planc's commands from the
# environment: PLANC_FULL, PLANC_INCR, PLANC_RESTORE, PLANC_PUSH, PLANC_GET. In the rounds of `incr` the first run
# of planc is preceded by its full, unmeasured, as those of the peers are; from then on the log goes to planc.
# `table` is one table back at a moment: planc's own copy and log of the same cluster are made first, with as much
# work and the same accident as the harness makes for the peers (PLANC_PITR).
# Run as root: HARNESS=FOLDER tests/bench/postgres.sh full|incr|restore|wal|table [CASES]
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:?full, incr, restore, wal or table} cases=${2:-pgbackrest-2.45-(incr-)?lz4}
harness=${HARNESS:?the folder of the harness}
export BENCH_DIR=${BENCH_DIR:-/tmp/plan-bench} PGPORT=${PGPORT:-54329} QUIET_WAIT=${QUIET_WAIT:-0}
site=$BENCH_DIR/planc programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
cargo build --release --quiet
install -D -m 755 target/release/planc "$BENCH_DIR/bin/planc"
planc=$BENCH_DIR/bin/planc
mkdir -p "$site/near"
cat > "$site/bench.plan" <<'PLAN'
planc 1
plan bench
timezone UTC
environment bench inventory "bench.yaml"
service bench is postgresql {
  tablespace fast, slow
  database mixed
}
backup everything of base, tablespace fast, tablespace slow {
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
recovery one_table {
  for human error
  restore service bench to spare from nearest
  replay log to restore point "planc_accident"
  extract table "js" into database mixed as "rescued_by_planc"
  probe mixed "select count(*) from rescued_by_planc.js" > 0
  finish within 1h
}
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
    path: $BENCH_DIR/pg/data
    programs: $programs
    connect: {socket: $BENCH_DIR/sock, port: $PGPORT, user: postgres}
devices:
  near: {site: here, path: near}
state: state
YAML
chown -R postgres "$site"
as="runuser -u postgres -- $planc"
plan="--plan $site/bench.plan"
push="exec $planc log push $plan --service bench"
cat > "$site/fresh.sh" <<FRESH
rm -rf '$site/near' '$site/state' '$site/based' && install -d -o postgres '$site/near'
$as device init --all $plan > /dev/null
printf '#!/bin/bash\n%s\n' '$push "\$1"' > '$BENCH_DIR/archive.next'
chmod 755 '$BENCH_DIR/archive.next' && mv '$BENCH_DIR/archive.next' '$BENCH_DIR/archive.sh'
FRESH
sql="runuser -u postgres -- $programs/psql -XAtq -h $BENCH_DIR/sock -p $PGPORT"
# a full copy, work, the moment, the accident; all log up to it is stored when it ends
prepare_table() {
    bash "$site/fresh.sh" && bash -c "$PLANC_FULL"
    for k in 1 2; do
        runuser -u postgres -- "$programs/pgbench" -n -c 2 -j 2 -t 2500 --random-seed=$((500 + k)) \
            -h "$BENCH_DIR/sock" -p "$PGPORT" bench > /dev/null 2>&1
        $sql -d bench -c "update pgbench_accounts set abalance = abalance + $k where aid % 60 = $k"
    done
    $sql -c "select pg_create_restore_point('planc_accident')" > /dev/null
    $sql -d mixed -c "delete from js where id % 2 = 1"
    (cd "$site" && $as run wal --quiet $plan)
}
export PLANC_FULL="cd $site && $as run everything --quiet $plan" PLANC_FULL_SETUP="bash $site/fresh.sh"
export PLANC_FULL_STORED="$site/near"
cat > "$site/base.sh" <<BASE
[ -e '$site/based' ] || { bash '$site/fresh.sh' && $PLANC_FULL && touch '$site/based'; }
sleep 1.1  # until the next incremental is due
BASE
export PLANC_INCR="$PLANC_FULL" PLANC_INCR_SETUP="bash $site/base.sh" PLANC_INCR_STORED="$site/near"
export PLANC_RESTORE="cd $site && $as restore bench --at backup --to $BENCH_DIR/rest/new/planc --relocate fast=$BENCH_DIR/rest/new/ts/fast --relocate slow=$BENCH_DIR/rest/new/ts/slow $plan --yes --quiet"
export PLANC_RESTORE_SETUP="rm -rf '$BENCH_DIR/rest/new'; install -d -o postgres '$BENCH_DIR/rest/new' '$BENCH_DIR/rest/new/ts'"
export PLANC_PITR="cd $site && $as recover one_table --yes --quiet $plan"
export PLANC_PITR_SETUP="$sql -d mixed -c 'drop schema if exists rescued_by_planc cascade'"
export PLANC_PITR_STORED="$site/near"
export PLANC_PUSH="$push %p" CASES=$cases ROUNDS=${ROUNDS:-3} WARM_ROUNDS=${WARM_ROUNDS:-0}
case $what in
    full) bash "$harness/10_full.sh" ;;
    incr) rm -f "$site/based"; bash "$harness/20_incr.sh" ;;
    restore) bash "$site/fresh.sh" && bash -c "$PLANC_FULL" && bash "$harness/30_restore.sh" ;;
    wal) bash "$harness/40_wal.sh" ;;
    table)
        # both sides bring the whole table back: what the peers' accident deletes is put in again
        if [ ! -e "$BENCH_DIR/pitr/ready" ]; then
            $sql -d mixed -c "create table js_kept as table js"
        fi
        ROUNDS=0 bash "$harness/50_pitr_table.sh"
        $sql -d mixed -c "truncate js" -c "insert into js select * from js_kept"
        prepare_table
        CASES=${2:-restore} bash "$harness/50_pitr_table.sh"
        ;;
esac
python3 "$harness/report.py"
