#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# jenkins.sh serve|ready|load|check ACKED, in a container whose /data is a mount and whose /jenkins.war is Jenkins. As root, chown, then as a
# user of its own; its official image is started as the user 1000. jenkins.py is its client.
set -euo pipefail
case $1 in
serve)
	mkdir -p /data/home
	chown -R 1000:1000 /data/home
	export JENKINS_HOME=/data/home HOME=/data/home
	exec setpriv --reuid 1000 --regid 1000 --clear-groups java -Xmx512m -Djava.awt.headless=true -Djenkins.install.runSetupWizard=false \
		-Dhudson.security.csrf.GlobalCrumbIssuerConfiguration.DISABLE_CSRF_PROTECTION=true -jar /jenkins.war --httpListenAddress=127.0.0.1 --httpPort=8080
	;;
*) exec python3 /suite/jenkins.py "$@" ;;
esac
