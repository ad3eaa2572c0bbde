#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# rabbitmq.sh serve|ready, in a container whose /data is a mount: the home of rabbitmq, with its cookie, logs and database.
set -euo pipefail
export HOME=/data RABBITMQ_MNESIA_BASE=/data/mnesia RABBITMQ_LOG_BASE=/data/log RABBITMQ_ENABLED_PLUGINS_FILE=/data/plugins
as=(setpriv --reuid rabbitmq --regid rabbitmq --clear-groups)
case $1 in
serve)
	chown rabbitmq:rabbitmq /data
	usermod -d /data rabbitmq >/dev/null 2>&1 || true
	exec "${as[@]}" /usr/lib/rabbitmq/bin/rabbitmq-server
	;;
ready) exec "${as[@]}" /usr/lib/rabbitmq/bin/rabbitmq-diagnostics -q check_running ;;
esac
