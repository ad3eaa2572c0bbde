# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What Linux programs expect of a file system, seen from inside a container.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"

mapped=
[ "$E2E_WHO" = root ] || mapped=mapped

# The checks themselves, on the container's own disk.
# case: timeout=300
case_semantics_of_the_local_disk() {
	run -v "$SUITE:/suite:ro" "$IMG" sh -c 'mkdir /local && python3 /suite/semantics.py /local'
}
# case: timeout=300
case_semantics_bind() {
	mkdir share
	run -v "$SUITE:/suite:ro" -v "$PWD/share:/data" "$IMG" python3 /suite/semantics.py /data $mapped
	same "$(ls -A share)" '' 'left in the directory'
}
# case: timeout=300
case_semantics_volume() {
	run -v "$SUITE:/suite:ro" -v vol:/data "$IMG" python3 /suite/semantics.py /data $mapped
}
