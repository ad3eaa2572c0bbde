# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # variables set by ../run; code in quotes is run by p
#
# The same as postgres.sh on a volume; docker's restart policy brings the container back, three times.

case_postgres_volume() {
	[ -n "${SKERRY_DATABASE_IMAGE:-}" ] || {
		skip_point all "no image with PostgreSQL could be made"
		return
	}
	pg_cycle 20 "$me-data"
	p restarting 'pg_up --restart always -v $me-data:/data && pg_ready && pg ready' 'exit 0$'
	local round
	for round in 1 2 3; do
		p "killed-$round" 'pg_load_and_kill 8; until_true 60 "[ \$(docker inspect -f {{.RestartCount}} $me) = '$round' ] && pg ready"; pg ready && pg check "$(pg_acked)"' 'loaded.*exit 0$'
	done
}
