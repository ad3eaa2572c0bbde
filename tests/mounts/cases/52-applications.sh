# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Applications as their official images start them, each with an image of its own (../images): loaded, the power cut in the middle,
# started again, and everything that was acknowledged has to be there.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"

mysql_on() {
	import_image mysql
	place "$1"
	serve_in my -m 1g -v "$data:/data" mysql bash /suite/mysql.sh serve
	ready 300 my bash /suite/mysql.sh ready
	ok skerry exec my stat -c '%U %a' /data/my
	same "$out" 'mysql 750'
	load_until_killed my "$(long 5 20)" bash /suite/mysql.sh load
	ok skerry start my
	ready 300 my bash /suite/mysql.sh ready
	ok skerry exec my bash /suite/mysql.sh check "$(last_acked)"
	ok skerry stop -t 60 my
}
# case: timeout=900
case_app_mysql_bind() { mysql_on bind; }
# case: timeout=900 full
case_app_mysql_volume() { mysql_on volume; }

wordpress_on() {
	import_image wordpress
	place "$1"
	serve_in wp -m 1g --init -v "$data:/data" wordpress bash /suite/wordpress.sh serve
	ready 300 wp bash /suite/wordpress.sh ready
	ok skerry exec wp python3 /suite/wordpress.py install
	load_until_killed wp "$(long 5 20)" python3 /suite/wordpress.py publish
	ok skerry start wp
	ready 300 wp bash /suite/wordpress.sh ready
	ok skerry exec wp python3 /suite/wordpress.py check "$(last_acked)"
	ok skerry stop -t 60 wp
}
# case: timeout=900
case_app_wordpress_bind() { wordpress_on bind; }
# case: timeout=900 full
case_app_wordpress_volume() { wordpress_on volume; }
