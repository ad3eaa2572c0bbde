#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# prometheus.sh serve|ready|load LAG|check ACKED|closed, in a container whose /data is a mount. As root, chown, then as the user nobody,
# which its official image has. prometheus.py is its client.
set -euo pipefail

case $1 in
serve)
	mkdir -p /data/prom
	chown -R nobody:nogroup /data/prom
	cat >/data/prometheus.yml <<-'END'
		global:
		  scrape_interval: 1s
		scrape_configs:
		  - job_name: itself
		    static_configs:
		      - targets: [ '127.0.0.1:9090' ]
	END
	exec setpriv --reuid nobody --regid nogroup --clear-groups prometheus --config.file=/data/prometheus.yml --storage.tsdb.path=/data/prom \
		--web.listen-address=127.0.0.1:9090 --web.enable-remote-write-receiver --web.enable-admin-api --web.enable-lifecycle
	;;
ready) exec promtool query instant http://127.0.0.1:9090 'up{job="itself"} == 1' ;;
load) exec python3 /suite/prometheus.py load "$2" ;;
check)
	python3 /suite/prometheus.py check "$2"
	promtool check config /data/prometheus.yml
	# A block of all that is in memory and in the log, read through mappings. (dump wants a log beside it.)
	snapshot=/data/prom/snapshots/$(python3 /suite/prometheus.py snapshot)
	promtool tsdb list "$snapshot"
	mkdir "$snapshot/wal"
	promtool tsdb dump --match='acked{series="0"}' "$snapshot" | python3 /suite/prometheus.py dumped "$2"
	;;
# When it has ended: its own tools read the log and the blocks, and would repair a log that is torn.
closed)
	promtool tsdb dump --match='acked{series="0"}' /data/prom 2>/tmp/errors | python3 /suite/prometheus.py dumped "$2"
	cat /tmp/errors
	! grep -iE 'corrupt|repair|error' /tmp/errors
	;;
esac
