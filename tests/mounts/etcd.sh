#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# etcd.sh serve|ready|load|check ACKED|closed, in a container whose /data is a mount. As root, chown, then as the user etcd.
# etcd.py is its client.
set -euo pipefail
export ETCDCTL_API=3

case $1 in
serve)
	mkdir -p /data/etcd
	chown -R etcd:etcd /data/etcd
	chmod 700 /data/etcd
	exec setpriv --reuid etcd --regid etcd --clear-groups etcd --data-dir /data/etcd --snapshot-count 1000 --listen-client-urls http://127.0.0.1:2379 \
		--advertise-client-urls http://127.0.0.1:2379
	;;
ready) exec etcdctl endpoint health ;;
load)
	while sleep 3; do etcdctl defrag; done >/dev/null 2>&1 &
	exec python3 /suite/etcd.py load
	;;
check)
	python3 /suite/etcd.py check "$2"
	etcdctl snapshot save /tmp/snapshot >/dev/null
	etcdctl snapshot status /tmp/snapshot
	;;
# bbolt's own check of the pages, when etcd has ended.
closed) exec etcdctl snapshot status /data/etcd/member/snap/db ;;
esac
