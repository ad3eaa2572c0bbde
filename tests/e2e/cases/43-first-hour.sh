# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What a user who comes from docker meets first.

# A plain user of Debian has no sbin in PATH; a new size of disk needs mkfs.ext4.
case_first_path_without_sbin() {
	local skerry
	skerry=$(command -v skerry)
	PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games ok "$skerry" run --rm --storage-size 123m "$IMG" echo hello
	same "$out" hello
}
