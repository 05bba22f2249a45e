#!/bin/sh
# The production shape without Docker, to measure with: a Temporal server that
# keeps its executions and its visibility in PostgreSQL, with 512 shards. The
# dev server of `make run` has one process, SQLite and 1 shard, and its figures
# say little about production.
#
#   make bench-stack         start it; run again, it changes nothing
#   make bench-stack-down    stop it and drop its databases
#
# It needs a PostgreSQL that listens, and a role there that may create databases.
#
#   BENCH_POSTGRES              host:port, 127.0.0.1:5432 by default
#   BENCH_POSTGRES_USER         postgres by default; the password is PGPASSWORD
#   BENCH_TEMPORAL_PORT         7333 by default; Temporal takes this port and the
#                               nine after it, on loopback
#   BENCH_TEMPORAL_CONNECTIONS  of each of Temporal's four services, 14 by
#                               default: with 4 each for visibility and the 20 of
#                               one Posthaste they fit into PostgreSQL's own 100
#   BENCH_STATE                 the folder for process id, settings and log,
#                               .bench-stack by default: a second stack beside
#                               the first has one of its own, and its own ports
#                               and PostgreSQL
#
# The password is in none of what is in that folder.
set -eu

state=${BENCH_STATE:-.bench-stack}
pid_file=$state/pid
settings_file=$state/settings
log=$state/temporal.log
schema_log=$state/schema.log

executions=temporal_bench
visibility=temporal_visibility_bench
namespace=default # what Posthaste uses unless told otherwise

patience=120 # seconds for the server to serve
grace=60     # seconds for it to stop: it hands its shards back

# Given by the Makefile, which pins their versions.
: "${TEMPORAL_CLI:?run this with: make bench-stack}" "${TEMPORAL_SERVER:?}" "${TEMPORAL_SQL_TOOL:?}"

main() {
	settle
	case ${1-} in
	up) up ;;
	down) down ;;
	*) fail "stack.sh knows up and down; run: make bench-stack, make bench-stack-down" ;;
	esac
}

# settle decides where everything is. What runs has been told already, and its
# settings count, so that `down` drops what `up` has made.
settle() {
	postgres=${BENCH_POSTGRES:-127.0.0.1:5432}
	user=${BENCH_POSTGRES_USER:-postgres}
	port=${BENCH_TEMPORAL_PORT:-7333}
	if [ -s "$settings_file" ]; then
		read -r postgres user port <"$settings_file"
	fi
	case $port in *[!0-9]* | "") fail "BENCH_TEMPORAL_PORT is a port, such as 7333, and not '$port'" ;; esac
	case $postgres in *[!:]:[0-9]*) ;; *) fail "BENCH_POSTGRES is host:port, such as 127.0.0.1:5432, and not '$postgres'" ;; esac
	address=127.0.0.1:$port
}

up() {
	if runs; then
		echo "the bench stack runs already (process $(cat "$pid_file"))"
		how_to
		return
	fi
	if temporal operator cluster health >/dev/null 2>&1; then
		fail "another Temporal serves on $address: stop it, or choose ports of your own with BENCH_TEMPORAL_PORT=7433"
	fi
	mkdir -p "$state"
	echo "$postgres $user $port" >"$settings_file"
	make_database "$executions" temporal
	make_database "$visibility" visibility
	start_server
	await "Temporal" temporal operator cluster health
	register_namespace
	echo "Temporal ${TEMPORAL_SERVER##*-} serves on $address; its log is $log"
	how_to
}

down() {
	mkdir -p "$state" # nothing may ever have run
	if runs; then
		stop_server
	fi
	drop_database "$executions"
	drop_database "$visibility"
	rm -f "$pid_file" "$settings_file" "$log" "$schema_log"
	rmdir "$state"
	echo "the bench stack is gone, and so are its databases"
}

# runs tells whether the process that we started lives: a number alone may have
# become another's.
runs() {
	[ -s "$pid_file" ] || return 1
	case $(ps -o args= -p "$(cat "$pid_file")" 2>/dev/null) in
	"$TEMPORAL_SERVER "*) return 0 ;;
	*) return 1 ;;
	esac
}

# make_database creates a database if it is missing, and brings its tables, which
# are embedded in the tool, up to date.
make_database() {
	echo "preparing database $1 on $postgres"
	{
		sql_tool "$1" create-database --defaultdb postgres &&
			sql_tool "$1" setup-schema --version 0.0 &&
			sql_tool "$1" update-schema --schema-name "postgresql/v12/$2"
	} >"$schema_log" 2>&1 || {
		tail -n 3 "$schema_log" >&2
		rm -f "$settings_file" # nothing runs by them: the next try may have others
		fail "cannot prepare the database $1 as role $user on $postgres: see that PostgreSQL listens there and lets this role create databases, or set BENCH_POSTGRES, BENCH_POSTGRES_USER and PGPASSWORD; then run make bench-stack again"
	}
}

drop_database() {
	sql_tool "$1" drop-database --force --defaultdb postgres >"$schema_log" 2>&1 || {
		tail -n 1 "$schema_log" >&2
		fail "cannot drop the database $1 on $postgres: close what is connected to it (psql?), see that PostgreSQL listens, then run make bench-stack-down again"
	}
}

sql_tool() {
	database=$1
	shift
	SQL_PASSWORD=${PGPASSWORD-} "$TEMPORAL_SQL_TOOL" --plugin postgres12_pgx \
		--endpoint "${postgres%:*}" --port "${postgres##*:}" --user "$user" --db "$database" "$@"
}

# start_server runs Temporal's four services in one process. It renders its
# configuration, temporal.yaml, from these variables.
start_server() {
	BENCH_POSTGRES=$postgres BENCH_POSTGRES_USER=$user BENCH_POSTGRES_PASSWORD=${PGPASSWORD-} \
		BENCH_CONNECTIONS=${BENCH_TEMPORAL_CONNECTIONS:-14} \
		BENCH_EXECUTIONS=$executions BENCH_VISIBILITY=$visibility \
		BENCH_FRONTEND_PORT=$port BENCH_FRONTEND_MEMBERSHIP_PORT=$((port + 1)) \
		BENCH_HISTORY_PORT=$((port + 2)) BENCH_HISTORY_MEMBERSHIP_PORT=$((port + 3)) \
		BENCH_MATCHING_PORT=$((port + 4)) BENCH_MATCHING_MEMBERSHIP_PORT=$((port + 5)) \
		BENCH_WORKER_PORT=$((port + 6)) BENCH_WORKER_MEMBERSHIP_PORT=$((port + 7)) \
		BENCH_METRICS_PORT=$((port + 8)) BENCH_PPROF_PORT=$((port + 9)) \
		nohup "$TEMPORAL_SERVER" --root deploy --config bench --env temporal --allow-no-auth start \
		>"$log" 2>&1 </dev/null &
	echo $! >"$pid_file"
}

stop_server() {
	pid=$(cat "$pid_file")
	kill "$pid"
	waited=0
	while runs; do
		if [ "$waited" -ge "$grace" ]; then
			echo "Temporal has not stopped within $grace s and is killed" >&2
			kill -9 "$pid"
		fi
		waited=$((waited + 1))
		sleep 1
	done
}

# register_namespace makes the namespace and waits until the server has noticed:
# it asks its table every few seconds only.
register_namespace() {
	if ! temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1; then
		temporal operator namespace create --namespace "$namespace" --retention 24h >>"$log" 2>&1 ||
			fail "cannot create the namespace $namespace: read $log, then run make bench-stack-down and make bench-stack"
	fi
	await "the namespace $namespace" temporal workflow list --namespace "$namespace" --limit 1
}

# await asks every second, until a command succeeds.
await() {
	what=$1
	shift
	waited=0
	until "$@" >/dev/null 2>&1; do
		if ! runs; then
			tail -n 5 "$log" >&2
			fail "the Temporal server ended by itself, the end of $log is above: if a port is taken, choose others with BENCH_TEMPORAL_PORT; then run make bench-stack-down and make bench-stack"
		fi
		if [ "$waited" -ge "$patience" ]; then
			fail "$what does not answer on $address after $patience s: read $log, then run make bench-stack-down and make bench-stack"
		fi
		waited=$((waited + 1))
		sleep 1
	done
}

# temporal is the CLI, steered by nothing but its flags.
temporal() {
	"$TEMPORAL_CLI" --disable-config-file --disable-config-env --command-timeout 5s "$@" --address "$address"
}

how_to() {
	psql="psql -h ${postgres%:*} -p ${postgres##*:} -U $user -d postgres"
	cat <<TEXT

Measure as in production: with an ordinary role, because row-level security
holds no superuser. Make it and its database once:

  $psql -c "CREATE ROLE posthaste_bench LOGIN PASSWORD 'bench'" -c "CREATE DATABASE posthaste_bench OWNER posthaste_bench"

  make bench ARGS="--temporal-address $address \\
    --temporal-metrics http://127.0.0.1:$((port + 8))/metrics --temporal-process $(cat "$pid_file") \\
    --database-url postgres://posthaste_bench:bench@$postgres/posthaste_bench?sslmode=disable"

In ARGS, what shows where the time goes, and what keeps the table:

  --profile profiles --temporal-pprof http://127.0.0.1:$((port + 9))
  --write-docs docs/benchmarks.md

Tidy up:

  make bench-stack-down
  $psql -c "DROP DATABASE posthaste_bench" -c "DROP ROLE posthaste_bench"
TEXT
}

fail() {
	echo "bench-stack: $1" >&2
	exit 1
}

main "$@"
