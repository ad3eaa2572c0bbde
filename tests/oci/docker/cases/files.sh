# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # variables set by ../run; code in quotes is run by p
#
# The root file system, mounts, volumes, copies.

# What is known needs nothing of the host, as if it were the guest's own: the file server stands still meanwhile. No network: a
# packet that happens to come makes the next open ask.
known() {
	local name=$1 pid server= script='
		work() {
			for i in 1 2 3 4 5; do
				cat /etc/passwd /data/image >/dev/null
				ls -l /etc /data / >/dev/null
				test ! -e /no-such-name -a ! -e /etc/no-such-name
			done
		}
		work; sleep 0.5; work; sleep 0.5; work; work
		echo ready
		sleep 4
		work
		echo done
		sleep 1000'

	up "$name" --network none box sh -c "$script"
	until_true 60 "docker logs $name 2>&1 | grep -q ready"
	if [ "$runtime" = skerry ]; then
		for pid in $(pgrep -f '^skerry-9pd '); do
			grep -q "$(show "$name" '{{.Id}}')" "/proc/$pid/cgroup" && server=$pid
		done
		[ -n "$server" ] && kill -STOP "$server" || echo 'there is no file server'
	fi
	sleep 8
	docker logs "$name" 2>&1 | tail -n 1
	[ -z "$server" ] || kill -CONT "$server"
}

case_root() {
	up "$me" box sleep 1000
	p diff 'x $me sh -c "echo 1 >/etc/made; rm /etc/group; mkdir /var/new; chmod 700 /root"; docker diff $me | sort' 'A /etc/made'
	p copy-out 'docker cp $me:/etc/made - | tar -xO' '^1'
	p copy-in 'echo in >$tmp/in; chmod 640 $tmp/in; docker cp $tmp/in $me:/root/in; x $me sh -c "cat /root/in; stat -c \"%a %u\" /root/in"' 'in'
	# Overlays cannot be watched before Linux 6.6: there a name that did not exist is asked for again after a second.
	if [ "$(printf '%s\n' 6.6 "$(uname -r)" | sort -V | head -n 1)" = 6.6 ]; then
		p copy-missed 'x $me test -e /root/late || echo missing; docker cp $tmp/in $me:/root/late; x $me cat /root/late' 'missing.*in'
	else
		skip_point copy-missed "Linux $(uname -r) watches no overlay"
	fi
	p copy-again 'for i in 1 2 3 4 5; do echo $i >$tmp/again; docker cp $tmp/again $me:/root/again; x $me cat /root/again /root/again; done' '1.*1.*2.*2.*5.*5'
	p copy-while-open 'x $me sh -c "exec 3</root/again; rm /root/again; cat <&3"; echo 6 >$tmp/again; docker cp $tmp/again $me:/root/again; x $me cat /root/again' '5.*6'
	if [ "$(printf '%s\n' 6.6 "$(uname -r)" | sort -V | head -n 1)" = 6.6 ]; then
		p known-needs-no-server 'known $me-k; gone $me-k' '^done'
	else
		skip_point known-needs-no-server "Linux $(uname -r) watches no overlay"
	fi
	p copy-directory 'mkdir -p $tmp/f/g; echo x >$tmp/f/g/h; docker cp $tmp/f $me:/tmp/; x $me cat /tmp/f/g/h; x $me sh -c "echo y >/tmp/f/g/i"; docker cp $me:/tmp/f $tmp/back; find $tmp/back -type f | sed "s|.*/back||" | sort' '/g/i'
	p copy-big 'head -c 8000000 /dev/urandom >$tmp/big; docker cp $tmp/big $me:/tmp/big; [ "$(x $me md5sum </dev/null /tmp/big | cut -c1-32)" = "$(md5sum <$tmp/big | cut -c1-32)" ] && echo equal' 'equal'
	p kinds 'x $me sh -c "cd /tmp; mkfifo p; ln -s p l; touch a; ln a b; mknod c c 1 3; chmod 4755 a; chown 12:34 a; stat -c \"%n %F %a %u %g %h\" p l a b c"' 'fifo'
	p see-on-host 'dir=$(show $me {{.GraphDriver.Data.MergedDir}}); stat -c "%n %F %a %u %g %h" $dir/tmp/p $dir/tmp/l $dir/tmp/a $dir/tmp/c | sed "s|$dir||"' 'fifo'
	p write-on-host 'dir=$(show $me {{.GraphDriver.Data.MergedDir}}); echo from-host >$dir/tmp/from-host; x $me cat /tmp/from-host' 'from-host'
	p unlinked 'x $me sh -c "exec 3>/tmp/u 4</tmp/u; rm /tmp/u; echo still >&3; cat <&4; ls /tmp/u"' 'still'
	p rename 'x $me sh -c "mkdir /tmp/d1; echo z >/tmp/d1/f; mv /tmp/d1 /tmp/d2; mv /tmp/d2/f /tmp/d2/g; cat /tmp/d2/g; ls /tmp/d1"' 'z'
	p append 'x $me sh -c "for i in 1 2 3; do echo \$i >>/tmp/app; done; xargs </tmp/app; truncate -s 3 /tmp/app; wc -c </tmp/app"' '1 2 3.*3'
	p sparse 'x $me sh -c "dd if=/dev/zero of=/tmp/sp bs=1 count=1 seek=100000000 2>/dev/null; stat -c %s /tmp/sp; test \$(stat -c %b /tmp/sp) -lt 1000 && echo sparse"' 'sparse'
	p locks 'x -e PATH=/usr/bin:/bin $me sh -c "touch /tmp/lk; flock /tmp/lk flock -n -E 9 /tmp/lk true"' 'exit 9$'
	# What is copied up to be changed stays the same file.
	p copied-up 'x $me sh -c "exec 3</data/image; i=\$(stat -c %i /data/image); echo more >>/data/image; test \$i = \$(stat -c %i /data/image) && echo same; cat <&3"' 'same.*more'
	p times 'x $me sh -c "touch -d \"2001-02-03 04:05:06\" /tmp/t; stat -c %y /tmp/t"' '2001-02-03'
	p many-files 'x $me sh -c "mkdir /tmp/m; cd /tmp/m; for i in \$(seq 300); do echo \$i >\$i; done; ls | wc -l; cat * | md5sum; rm -r /tmp/m"' '300'
	p commit 'docker commit -c "ENV C=1" $me $me:new >/dev/null; docker run --rm $me:new sh -c "cat /etc/made; echo \$C; test -e /etc/group || echo none"' 'none'
	p export 'docker export $me | tar -t | grep -E "^(etc/made|var/new/|tmp/p)$" | sort' 'etc/made'
	p survives 'docker stop -t 0 $me >/dev/null; docker start $me >/dev/null; x $me cat /etc/made' '^1'
	p dotfiles 'd box ls -a / | grep -v -E "^(etc|\.dockerenv)$"' 'bin'
	p copy-stopped 'docker stop -t 0 $me >/dev/null; docker cp $tmp/in $me:/stopped; docker cp $me:/stopped - | tar -xO' 'in'
	p permissions 'd -u anna box sh -c "touch /x; touch /tmp/mine && stat -c %U /tmp/mine; cat /etc/shadow"' 'anna'
	p exec-from 'd box sh -c "printf \"#!/bin/sh\necho script\n\" >/tmp/s; chmod 755 /tmp/s; /tmp/s; cp /bin/busybox /tmp/echo; /tmp/echo binary"' 'binary'
	# docker 26 leaves the root of a running container that was exported mounted, whatever its runtime.
	local root
	root=$(show "$me" '{{.GraphDriver.Data.MergedDir}}')
	docker rm -f -v "$me" >/dev/null
	umount "$root" 2>/dev/null || true
}
case_mounts() {
	local dir=$tmp/dir
	mkdir -p "$dir/sub"
	echo one >"$dir/file"
	echo sub >"$dir/sub/s"
	p bind 'd -v $dir:/v box sh -c "cat /v/file; echo two >/v/new; chown 5:6 /v/new; chmod 640 /v/new; mkfifo /v/pipe; ln -s x /v/link; mknod /v/dev c 1 5"; find $dir -mindepth 1 -printf "%f %y %m %U:%G %s\n" | sort' 'new f 640 5:6 4'
	p file 'd -v $dir/file:/single box sh -c "cat /single; echo more >>/single"; cat $dir/file' 'more'
	p file-read-only 'd -v $dir/file:/single:ro box sh -c "cat /single; echo no >>/single"' 'Read-only'
	p read-only 'd -v $dir:/v:ro box sh -c "cat /v/file; touch /v/x"' 'Read-only'
	p nested 'd -v $dir:/v -v $dir/sub:/v/sub:ro -v $dir/file:/v/sub/s box sh -c "cat /v/sub/s; touch /v/sub/x"' 'Read-only'
	p made 'd -v $tmp/made:/v box touch /v/x; ls $tmp/made' 'x'
	p missing 'd --mount type=bind,source=$tmp/missing,target=/v box true' 'exit 125$'
	p mount-syntax 'd --mount type=bind,source=$dir,target=/v,readonly --mount type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770 box sh -c "touch /v/x; df -k /t | tail -n 1 | tr -s \" \" | cut -d\" \" -f2; stat -c %a /t"' '1024'
	p tmpfs 'd --tmpfs /t:size=2m,mode=700,noexec box sh -c "df -k /t | tail -n 1 | tr -s \" \" | cut -d\" \" -f2; stat -c %a /t; grep \" /t \" /proc/mounts | grep -o noexec"' 'noexec'
	p tmpfs-full 'd --tmpfs /t:size=1m box sh -c "head -c 3000000 /dev/zero >/t/x"' 'exit 1$'
	p read-only-root 'd --read-only --tmpfs /t box sh -c "touch /x 2>&1; touch /t/y && echo tmpfs; touch /dev/shm/z && echo shm"' 'tmpfs'
	p read-only-volume 'd --read-only -v $dir:/v box sh -c "touch /v/w && echo written"' 'written'
	p propagation 'mount --bind $dir $dir; mount --make-shared $dir; d -v $dir:/v:rslave box cat /v/sub/s; umount $dir' 'sub'
	p live 'up $me-l -v $dir:/v box sleep 1000; echo later >$dir/later; x $me-l cat /v/later; x $me-l sh -c "echo back >/v/back"; cat $dir/back' 'back'
	p live-change 'x $me-l cat /v/later >/dev/null; echo changed-and-longer >$dir/later; sleep 1; x $me-l cat /v/later; rm $dir/later; sleep 1; x $me-l cat /v/later' 'changed-and-longer'
	p live-file 'printf "a\n" >$dir/live; up $me-f -v $dir/live:/live box sleep 1000; x $me-f cat /live; printf "bbb\n" >$dir/live; sleep 1; x $me-f cat /live' 'bbb'
	p targets 'd -v $dir:/v -v $dir/file:/f --tmpfs /t box sh -c "cut -d\" \" -f2 /proc/mounts" | sort | grep -v -E "^/(proc|sys)/"' '/v'
	p kinds 'd box sh -c "awk \"\\\$2 ~ /^.(proc|sys|dev)(.(pts|shm|mqueue))?\\\$/ {print \\\$2, \\\$3}\" /proc/mounts | sort -u"' 'mqueue'
	p mqueue 'd --sysctl fs.mqueue.msg_max=20 box cat /proc/sys/fs/mqueue/msg_max' '20'
	p submount 'mkdir -p $tmp/under; mount -t tmpfs none $tmp/under; echo inner >$tmp/under/i; d -v $tmp:/v box cat /v/under/i; umount $tmp/under' 'inner'
	p over-existing 'd -v $dir:/etc box sh -c "ls /etc/file; cat /etc/resolv.conf | wc -l | grep -c ."' '/etc/file'
	p relative-link 'ln -sfn dir $tmp/to-dir; d -v $tmp/to-dir:/v box cat /v/sub/s' 'sub'
	# The directory above, of the image, is copied up: what is mounted below it stays.
	p copied-up 'd -v $dir:/var/www box sh -c "touch /var/new; cat /var/www/sub/s; sleep 2; cat /var/www/sub/s; ls /var"' 'sub.*sub'
	p colon-free 'd -v $dir:/a/b/c/d box cat /a/b/c/d/sub/s' 'sub'
	differ socket 'python3 -c "
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)" $tmp/sock; d -v $tmp/sock:/sock box sh -c "test -S /sock && echo socket"' 'socket' 'socket|cannot'
}
case_volumes() {
	p named 'docker volume create $me-v >/dev/null; docker run --rm -v $me-v:/d box sh -c "echo from-runc >/d/a"; d -v $me-v:/d box sh -c "cat /d/a; echo back >/d/b"; docker run --rm -v $me-v:/d box cat /d/b' 'back'
	p from-image 'd -v $me-i:/data box sh -c "ls -ln /data | tr -s \" \" | cut -d\" \" -f1,3,4,9; cat /data/image"' 'from the image'
	p nocopy 'd --mount type=volume,source=$me-n,target=/data,volume-nocopy box ls /data | wc -l' '^0'
	p anonymous 'up $me-a -v /anon box sh -c "echo x >/anon/f; sleep 1000"; show $me-a "{{len .Mounts}} {{(index .Mounts 0).Type}} {{(index .Mounts 0).Destination}}"' '1 volume /anon'
	p volumes-from 'sleep 0.5; d --volumes-from $me-a box cat /anon/f; docker run --rm --volumes-from $me-a box cat /anon/f' 'x'
	p anonymous-gone 'n=$(show $me-a "{{(index .Mounts 0).Name}}"); docker rm -f -v $me-a >/dev/null; docker volume inspect $n' 'exit 1$'
	p image-volume 'd --entrypoint cat made /data/image' 'from the image'
	p shared 'up $me-1 -v $me-s:/s box sh -c "while ! test -e /s/go; do sleep 0.1; done; cat /s/go; sleep 1000"; docker run --rm -v $me-s:/s box sh -c "echo go >/s/.go; mv /s/.go /s/go"; until_true 10 "docker logs $me-1 | grep -q go"; docker logs $me-1' 'go'
	p in-use 'docker volume rm $me-s' 'in use'
	p read-only 'd -v $me-v:/d:ro box touch /d/x' 'Read-only'
}

# FIFOs between the host and a container with a VM of its own, and one in the VM of another.
case_fifos() {
	local dir=$tmp/dir where
	mkdir -p "$dir"
	chmod 777 "$dir"
	mkfifo -m 666 "$dir/f"
	up "$me" box sleep 1000
	for where in bridge "container:$me"; do
		p "in-${where%%:*}" '{ sleep 0.3; timeout 30 sh -c "echo from-host >$dir/f"; } & d --network $where -v $dir:/data box timeout 30 cat /data/f; wait' 'from-host'
		p "out-${where%%:*}" 'timeout 40 cat $dir/f & d --network $where -v $dir:/data box timeout 30 sh -c "echo from-container >/data/f"; wait' 'from-container'
	done
	gone "$me"
}
# In the VM of another container: one directory by two mounts, a part of it, a file of it; what the host mounts below it later.
case_shared_vm() {
	local dir=$tmp/dir mount
	mkdir -p "$dir/sub" "$dir/m"
	echo one >"$dir/sub/f"
	mount --bind "$dir" "$dir"
	mount --make-shared "$dir"
	up "$me" box sleep 1000
	p one-inode 'd --network container:$me -v $dir:/a -v $dir/sub:/b -v $dir:/c:ro -v $dir/sub/f:/f box sh -c "
		stat -c \"%d %i\" /a/sub/f /b/f /c/sub/f /f | sort -u | wc -l; exec 3<>/a/sub/f; echo TWO >&3; cat /b/f /f /c/sub/f
		touch /c/x 2>/dev/null || echo ro; test -e /b/new; echo new >/a/sub/new; cat /b/new; mv /a/sub/new /a/g; cat /c/g"' '^1.TWO.TWO.TWO.ro.new.new'
	up "$me-two" --network "container:$me" -v "$dir:/a:rslave" box sleep 1000
	mount -t tmpfs none "$dir/m"
	echo later >"$dir/m/f"
	p propagation 'until_true 20 "x $me-two cat /a/m/f"; x $me-two cat /a/m/f; umount $dir/m; until_true 20 "x $me-two test ! -e /a/m/f"; x $me-two ls /a/m' '^later'
	gone "$me-two" "$me"
	umount -l "$dir"
}
# The daemon's socket in a container, and the docker client there: requests, streams that are taken over, a build's worth of bytes.
case_docker_socket() {
	local network=bridge
	# shellcheck disable=SC2317 # called by p
	inside() {
		timeout 120 docker run -i --rm --runtime "$runtime" --network "$network" -v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro \
			-v "$work/docker.sock:/var/run/docker.sock" -e HOME=/tmp box /usr/bin/docker "$@"
	}
	p version 'inside version --format "{{.Server.Version}}"' '[0-9]'
	p images 'inside images -q box | wc -l' '^1'
	p run 'echo input | inside run --rm -i --name $me-in --runtime runc box sh -c "cat; echo error >&2; exit 3"' 'input'
	p much 'head -c 5000000 /dev/zero | inside run --rm -i --name $me-much --runtime runc box wc -c' '5000000'
	p save 'inside save box | tar -t | grep -c "layer.tar\|^blobs"' '[1-9]'
	# In the VM of another container.
	up "$me" box sleep 1000
	network=container:$me
	p member 'inside run --rm --name $me-in --runtime runc box echo inner' 'inner'
	gone "$me"
}
