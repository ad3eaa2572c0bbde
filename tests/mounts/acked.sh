# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Rows of MySQL and MariaDB that were acknowledged; ${sql[@]} is the client, $text the SQL of a row's text, from its number n.

# Inserts rows without an end; prints "acked N" when row N is said to be on disk.
load_rows() {
	local first
	"${sql[@]}" -e 'create database if not exists t; create table if not exists t.acked(n bigint primary key, t text) engine=innodb'
	first=$("${sql[@]}" -e 'select coalesce(max(n),0)+1 from t.acked')
	seq "$first" 100000000 | while read -r n; do
		echo "insert into t.acked values($n, ${text//(n/($n}); select 'acked', $n;"
	done | "${sql[@]}" --unbuffered | stdbuf -oL tr '\t' ' '
}

# check_rows N: the rows up to N are there, and every row is whole.
check_rows() {
	local have
	have=$("${sql[@]}" -e "select count(*) from t.acked where n <= $1")
	[ "$have" = "$1" ] || {
		echo "acknowledged rows are missing: $have of $1"
		exit 1
	}
	[ "$("${sql[@]}" -e "select count(*) from t.acked where t <> $text")" = 0 ]
}
