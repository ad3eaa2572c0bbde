#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# git.sh make N|work|endless|check, in a container whose /data is a mount.
set -euo pipefail
export HOME=/tmp GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@localhost GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@localhost
# Not in a file: that would have a lock, which a power cut leaves behind.
export GIT_CONFIG_COUNT=3 GIT_CONFIG_KEY_0=core.fsync GIT_CONFIG_VALUE_0=all GIT_CONFIG_KEY_1=safe.directory GIT_CONFIG_VALUE_1='*' \
	GIT_CONFIG_KEY_2=advice.detachedHead GIT_CONFIG_VALUE_2=false
cd /data
case $1 in
make)
	git init -q -b main a
	cd a
	for ((i = 0; i < $2; i++)); do
		((i % 50)) || mkdir -p "d$((i / 50))"
		seq "$i" $((i + i % 300)) >"d$((i / 50))/f$i"
	done
	git add -A
	git commit -qm first
	;;
work)
	git clone -q --no-hardlinks a b
	git clone -q file:///data/a c
	cd b
	git checkout -qb side
	for i in 1 2 3 4 5; do
		for f in d*/f*[05]; do echo "$i" >>"$f"; done
		git commit -qam "side $i"
	done
	git mv d0 moved
	git commit -qm moved
	git checkout -q main
	echo other >>d0/f1
	git commit -qam other
	git merge -q side -m merged
	[ -z "$(git status --porcelain)" ]
	git gc -q --aggressive --prune=now
	git fsck --full --strict
	git worktree add -q ../w side
	[ -z "$(git -C ../w status --porcelain)" ]
	git push -q file:///data/a main:from-b
	git -C ../c pull -q origin from-b
	cmp <(git -C ../c ls-tree -r HEAD) <(git ls-tree -r HEAD)
	git stash list
	git repack -qad
	git fsck --full --strict
	;;
endless)
	cd a
	for ((i = 0; ; i++)); do
		echo "$i" >>d0/f0
		git commit -qam "endless $i"
		git rev-parse HEAD >>/data/heads
		sync -d /data/heads
		((i % 5)) || git gc -q --prune=now
	done
	;;
check)
	cd a
	find .git -name '*.lock' -delete # of whatever ran then, gc too
	git fsck --full --strict
	# All that was said to be committed is there.
	while read -r head; do
		[ "${#head}" = 40 ] || continue
		git merge-base --is-ancestor "$head" HEAD
	done < <(tail -30 /data/heads)
	git reset -q --hard
	git gc -q --prune=now
	git log --oneline | wc -l
	;;
esac
