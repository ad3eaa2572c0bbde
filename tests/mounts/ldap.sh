#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# ldap.sh serve|ready|load|check ACKED|closed ACKED, in a container whose /data is a mount: OpenLDAP's slapd with its database in LMDB, which
# is read through a shared mapping and written with pwrite. Started as root, chown, then as the user openldap. ldap_load.py is its client.
set -euo pipefail

case $1 in
serve)
	mkdir -p /data/db
	if [ ! -d /data/slapd.d ]; then
		mkdir /data/slapd.d.new
		slapadd -n 0 -F /data/slapd.d.new <<-'END'
			dn: cn=config
			objectClass: olcGlobal
			cn: config

			dn: cn=module{0},cn=config
			objectClass: olcModuleList
			cn: module{0}
			olcModulePath: /usr/lib/ldap
			olcModuleLoad: back_mdb

			dn: cn=schema,cn=config
			objectClass: olcSchemaConfig
			cn: schema

			include: file:///etc/ldap/schema/core.ldif

			dn: olcDatabase={1}mdb,cn=config
			objectClass: olcDatabaseConfig
			objectClass: olcMdbConfig
			olcDatabase: {1}mdb
			olcSuffix: dc=test
			olcRootDN: cn=admin,dc=test
			olcRootPW: admin
			olcDbDirectory: /data/db
			olcDbMaxSize: 268435456
			olcDbIndex: objectClass,cn eq
		END
		mv /data/slapd.d.new /data/slapd.d
	fi
	chown -R openldap:openldap /data/db /data/slapd.d
	# slapd takes memory for as many connections as it may have files; images of it set this as well.
	ulimit -n 1024
	exec slapd -d none -u openldap -g openldap -F /data/slapd.d -h ldap://127.0.0.1/
	;;
ready) exec ldapsearch -x -H ldap://127.0.0.1/ -b '' -s base namingContexts ;;
load) exec python3 /suite/ldap_load.py load ;;
# While slapd runs: other programs have the database open as well, by LMDB's own rules.
check)
	python3 /suite/ldap_load.py check "$2"
	slapcat -F /data/slapd.d -n 1 | python3 /suite/ldap_load.py dumped "$2"
	mdb_stat -ef /data/db
	;;
closed)
	slapcat -F /data/slapd.d -n 1 | python3 /suite/ldap_load.py dumped "$2"
	# Every page of it: copied, and from the copy written out again.
	mkdir /tmp/copy
	mdb_copy -c /data/db /tmp/copy
	cmp <(mdb_dump -a /data/db | grep -v '^mapsize=') <(mdb_dump -a /tmp/copy | grep -v '^mapsize=')
	slapindex -F /data/slapd.d -n 1 -q
	;;
esac
