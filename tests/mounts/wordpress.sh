#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# wordpress.sh serve|ready, in a container whose /data is a mount: MariaDB on /data/my, WordPress in /data/www, copied there by the
# first start as its official image does. wordpress.py is its user. wordpress.sh database|database-ready, and site DATABASE-HOST: the two
# in containers of their own.
set -euo pipefail

start_database() {
	mkdir -p /data/my /run/mysqld
	chown -R mysql:mysql /data/my /run/mysqld
	[ -d /data/my/mysql ] ||
		mariadb-install-db --no-defaults --user=mysql --datadir=/data/my --auth-root-authentication-method=normal --skip-test-db >/dev/null
	mariadbd --no-defaults --user=mysql --datadir=/data/my --socket=/run/mysqld/mysqld.sock "$1" &
	until mariadb-admin --no-defaults -S /run/mysqld/mysqld.sock -u root ping >/dev/null 2>&1; do sleep 0.2; done
	mariadb --no-defaults -S /run/mysqld/mysqld.sock -u root -e "create database if not exists wp;
		create user if not exists wp@'$2' identified by 'wp'; grant all on wp.* to wp@'$2'"
}

copy_wordpress() {
	[ ! -e /data/www/wp-config.php ] || return 0
	mkdir -p /data/www
	cp -rL /usr/share/wordpress/. /data/www/
	rm -rf /data/www/wp-content
	cp -rL /var/lib/wordpress/wp-content /data/www/wp-content
	sed "s#@HOST@#$1#" >/data/www/wp-config.php.new <<-'END'
		<?php
		define('DB_NAME', 'wp');
		define('DB_USER', 'wp');
		define('DB_PASSWORD', 'wp');
		define('DB_HOST', '@HOST@');
		define('DB_CHARSET', 'utf8mb4');
		define('DISABLE_WP_CRON', true);
		define('WP_HTTP_BLOCK_EXTERNAL', true);
		define('AUTOMATIC_UPDATER_DISABLED', true);
		define('WP_SITEURL', 'http://localhost');
		define('WP_HOME', 'http://localhost');
		$table_prefix = 'wp_';
		if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
		require_once ABSPATH . 'wp-settings.php';
	END
	chown -R www-data:www-data /data/www
	mv /data/www/wp-config.php.new /data/www/wp-config.php
}

serve_site() {
	cat >/etc/apache2/sites-available/000-default.conf <<-'END'
		ServerName localhost
		<VirtualHost *:80>
			DocumentRoot /data/www
			<Directory /data/www>
				Require all granted
			</Directory>
		</VirtualHost>
	END
	set +u
	# shellcheck disable=SC1091 # in the image
	. /etc/apache2/envvars
	mkdir -p "$APACHE_RUN_DIR" "$APACHE_LOCK_DIR" "$APACHE_LOG_DIR"
	rm -f "$APACHE_PID_FILE"
	exec apache2 -DFOREGROUND
}

case $1 in
serve)
	start_database --skip-networking localhost
	copy_wordpress localhost:/run/mysqld/mysqld.sock
	serve_site
	;;
database)
	start_database --bind-address=0.0.0.0 %
	# It is stopped as the server is; the container ends with it.
	trap 'kill %1' TERM
	until wait %1 || [ $? -le 128 ]; do :; done
	;;
# When the user of the site is there.
database-ready) exec mariadb --no-defaults -h 127.0.0.1 -u wp -pwp -e 'select 1' wp ;;
site)
	copy_wordpress "$2"
	serve_site
	;;
ready) exec python3 /suite/wordpress.py ready ;;
*)
	echo "unknown word: $1" >&2
	exit 2
	;;
esac
