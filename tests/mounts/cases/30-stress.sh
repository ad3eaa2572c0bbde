# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Programs made to break file systems: fio, which reads back what it wrote, and stress-ng's file system stressors with their own checks.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"

# Each way to write, and then all of it read back: by offset, through mappings, appended, by several at once.
fio_on() {
	place "$1"
	serve_in fio -m 512m -v "$data:/data" "$IMG" sleep 10000
	local words=(fio --directory=/data --size=64m --verify=crc32c --verify_fatal=1 --output-format=terse --fallocate=none)
	ok skerry exec fio "${words[@]}" --name=sequential --rw=write --bs=1m --end_fsync=1
	ok skerry exec fio "${words[@]}" --name=random --rw=randwrite --bs=4k-64k --bsrange=4k-64k --verify_backlog=64
	ok skerry exec fio "${words[@]}" --name=mapped --rw=randwrite --bs=4k --ioengine=mmap
	ok skerry exec fio "${words[@]}" --name=synced --rw=randwrite --bs=16k --size=4m --sync=1
	ok skerry exec fio "${words[@]}" --name=four --rw=randrw --bs=8k --size=16m --numjobs=4 --fsync=32
	# What is checked by another machine is what the server has.
	ok skerry exec fio "${words[@]}" --name=handed --rw=randwrite --bs=8k --do_verify=0 --end_fsync=1
	kill_vm fio
	serve_in other -m 512m -v "$data:/data" "$IMG" sleep 10000
	ok skerry exec other "${words[@]}" --name=handed --rw=randwrite --bs=8k --verify_only=1
}
# case: timeout=600 full
case_stress_fio_bind() { fio_on bind; }
# case: timeout=600 full
case_stress_fio_volume() { fio_on volume; }

# Some seconds of each: they check what they do (--verify), and end with an error if it is not so.
stress_on() {
	local one
	place "$1"
	serve_in stress -m 512m -v "$data:/data" "$IMG" sleep 10000
	for one in access chdir chmod chown copy-file dentry dir dirdeep dirmany dup fcntl file-ioctl filename flock fpunch fstat getdent hdd iomix \
		link lockf lockofd locka mknod mmapfork open readahead rename revio seek sendfile symlink sync-file touch utime xattr; do
		ok skerry exec stress sh -c "mkdir -p /data/$one && stress-ng --temp-path /data/$one --$one 2 --timeout 3 --verify --hdd-bytes 16m --iomix-bytes 16m --seek-size 8m --oomable 2>&1"
		hasnt "$out" ' fail: ' "$one"
		hasnt "$out" 'unsuccessful run' "$one"
		# What they made is gone.
		ok skerry exec stress rm -r "/data/$one"
	done
}
# case: timeout=900 full
case_stress_ng_bind() { stress_on bind; }
