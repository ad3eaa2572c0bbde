# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # variables set by ../run; code in quotes is run by p
#
# exec, signals, states, restarts, logs, events.

case_exec() {
	up "$me" box sleep 1000
	p code 'x $me sh -c "exit 3"' 'exit 3$'
	p no-program 'x $me no-such-program' 'exit 12[67]$'
	p not-executable 'x $me /etc/passwd' 'exit 126$'
	p killed 'x $me sh -c "kill -9 \$\$"' 'exit 137$'
	p user 'x -u 7:8 $me id' 'uid=7'
	p user-name 'x -u anna $me id -un' 'anna'
	p env 'x -e X=y -w /etc $me sh -c "echo \$X; pwd"' 'y'
	p no-workdir 'x -w /no/such $me pwd' 'exit 126$|exit 127$'
	p stdin 'echo text | docker exec -i $me cat' 'text'
	p much 'head -c 1000000 /dev/zero | docker exec -i $me wc -c' '1000000'
	p much-out 'x $me head -c 1000000 /dev/zero | wc -c' '1000000'
	p detached 'x -d $me sh -c "echo late >/tmp/late"; until_true 10 "x $me test -s /tmp/late"; x $me cat /tmp/late' 'late'
	p terminal 'on_terminal --size 20x50 --expect "20 50" --exit 0 -- docker exec -it $me sh -c "sleep 0.5; tty >/dev/null && stty size" | grep -c "20 50"' '^1'
	p terminal-code 'on_terminal --expect "#" --send "exit 9\r" --exit 9 -- docker exec -it $me sh >/dev/null' 'exit 0$'
	differ privileged 'x --privileged $me grep CapEff /proc/self/status' '[1-9a-f]{8}|unable to apply caps' 'CapEff:.*[1-9a-f]{8}'
	p rights 'x $me grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status' 'Seccomp:.*2'
	p sees 'x $me sh -c "ps -o pid,comm | grep -c sleep; cat /proc/self/cgroup | wc -l | grep -c ."' '^1'
	p many 'for i in 1 2 3 4 5 6; do x $me sh -c "sleep 0.2; exit $i" & done; n=0; for j in $(jobs -p); do wait $j; n=$((n + $?)); done; echo $n' '21'
	p background-stays 'x $me sh -c "sleep 77 >/dev/null 2>&1 &"; x $me pgrep -f "sleep 77" | wc -l' '^1'
	docker stop -t 0 "$me" >/dev/null
	p stopped 'x $me true' 'is not running'
}
case_signals() {
	up "$me" box sh -c 'trap "echo usr1" USR1; trap "echo hup" HUP; trap "exit 9" TERM; while :; do sleep 0.1; done'
	sleep 1
	p user-1 'docker kill -s USR1 $me >/dev/null; docker kill -s HUP $me >/dev/null; until_true 10 "docker logs $me | grep -q hup"; docker logs $me | sort' 'usr1'
	p stop 'docker stop -t 20 $me >/dev/null; show $me "{{.State.ExitCode}} {{.State.Status}}"' '9 exited'
	p start-again 'docker start $me >/dev/null; sleep 0.5; docker kill $me >/dev/null; ended $me; show $me "{{.State.ExitCode}} {{.State.Status}}"' '137 exited'
	p stop-signal 'up $me-i --stop-signal INT box sh -c "trap \"exit 4\" INT; while :; do sleep 0.1; done"; sleep 1; docker stop -t 20 $me-i >/dev/null; show $me-i {{.State.ExitCode}}' '4'
	p stop-deaf 'up $me-d box sh -c "trap \"\" TERM; while :; do sleep 0.1; done"; sleep 1; docker stop -t 1 $me-d >/dev/null; show $me-d {{.State.ExitCode}}' '137'
	p foreground 'timeout -s TERM $(slow 3) docker run --rm --name $me-f --runtime $runtime box sh -c "trap \"echo term; exit 6\" TERM; while :; do sleep 0.1; done"' 'term'
	p init-passes 'up $me-t --init box sleep 1000; sleep 0.5; docker stop -t 20 $me-t >/dev/null; show $me-t {{.State.ExitCode}}' '143'
	p kill-stopped 'docker kill $me' 'is not running'
	p bad-signal 'docker kill -s NOSUCH $me-t' 'nvalid signal'
}
case_pause() {
	up "$me" box sh -c 'i=0; while :; do i=$((i+1)); echo $i >/tmp/next; mv /tmp/next /tmp/count; sleep 0.05; done'
	until_true 10 "x $me test -s /tmp/count"
	p pause 'docker pause $me >/dev/null; show $me "{{.State.Status}} {{.State.Paused}}"' 'paused true'
	p ps 'docker ps --filter name=^$me$ --format "{{.Status}}" | grep -o Paused' 'Paused'
	p exec 'x $me true' 'paused'
	p pause-again 'docker pause $me' 'already paused|is already paused'
	p unpause 'docker unpause $me >/dev/null; show $me {{.State.Status}}; x $me echo alive' 'alive'
	p goes-on 'a=$(x $me cat /tmp/count); sleep 0.5; b=$(x $me cat /tmp/count); [ "$b" -gt "$a" ] && echo on' 'on'
	p unpause-again 'docker unpause $me' 'not paused'
	p stands-still 'docker pause $me >/dev/null; sleep 1; docker unpause $me >/dev/null; x $me sh -c "test \$(cat /tmp/count) -gt 2" && echo yes' 'yes'
	p kill-paused 'docker pause $me >/dev/null; docker rm -f $me >/dev/null; docker ps -aq --filter name=^$me$ | wc -l' '^0'
}
case_restart() {
	p on-failure 'up $me-a --restart on-failure:2 box sh -c "exit 5"; until_true 40 "[ \"\$(docker inspect -f \"{{.RestartCount}} {{.State.Running}}\" $me-a)\" = \"2 false\" ]"; show $me-a "{{.RestartCount}} {{.State.ExitCode}}"' '2 5'
	p always 'up $me-b --restart always box sh -c "sleep 1; exit 0"; until_true 30 "[ \$(docker inspect -f {{.RestartCount}} $me-b) -ge 1 ]"; docker stop -t 0 $me-b >/dev/null; show $me-b {{.State.Running}}' 'false'
	p killed-restarts 'up $me-c --restart always box sleep 1000; kill -9 $(show $me-c {{.State.Pid}}); until_true 30 "[ \$(docker inspect -f {{.RestartCount}} $me-c) -ge 1 ] && docker exec $me-c true"; x $me-c echo back' 'back'
	p restart 'up $me-d box sh -c "echo run >>/tmp/runs; sleep 1000"; sleep 0.5; docker restart -t 0 $me-d >/dev/null; until_true 10 "x $me-d sh -c \"test \\\$(wc -l </tmp/runs) = 2\""; x $me-d cat /tmp/runs' 'run'
	p monitor-killed 'up $me-e box sleep 1000; kill -9 $(show $me-e {{.State.Pid}}); ended $me-e; show $me-e "{{.State.Status}} {{.State.ExitCode}}"; docker start $me-e >/dev/null; x $me-e echo again' 'again'
	p network-stays 'docker restart -t 0 $me-d >/dev/null; x $me-d ip -4 -o addr show eth0 | wc -l' '^1'
}
case_health() {
	up "$me-h" --health-cmd 'test -e /tmp/well' --health-interval 0.5s --health-retries 2 --health-timeout 5s box sh -c 'touch /tmp/well; sleep 1000'
	up "$me-u" --health-cmd 'echo no; exit 1' --health-interval 0.5s --health-retries 2 box sleep 1000
	up "$me-t" --health-cmd 'sleep 500' --health-interval 0.5s --health-timeout 1s --health-retries 1 box sleep 1000
	p healthy 'until_true 20 "[ \$(docker inspect -f {{.State.Health.Status}} $me-h) = healthy ]"; show $me-h {{.State.Health.Status}}' 'healthy'
	p unhealthy 'until_true 20 "[ \$(docker inspect -f {{.State.Health.Status}} $me-u) = unhealthy ]"; show $me-u "{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}"' '1 no'
	p slow 'until_true 20 "[ \$(docker inspect -f {{.State.Health.Status}} $me-t) = unhealthy ]"; show $me-t "{{(index .State.Health.Log 0).ExitCode}}"' '-1'
	p turns 'x $me-h rm /tmp/well; until_true 20 "[ \$(docker inspect -f {{.State.Health.Status}} $me-h) = unhealthy ]"; show $me-h {{.State.Health.Status}}' 'unhealthy'
	p told 'docker events --since $(($(date +%s) - 60)) --until $(($(date +%s) + 1)) --filter container=$me-h --filter event=health_status --format "{{.Action}}" | sort -u' 'health_status: healthy.health_status: unhealthy'
	p starts-healthy 'docker restart -t 0 $me-h >/dev/null; until_true 20 "[ \$(docker inspect -f {{.State.Health.Status}} $me-h) = healthy ]"; show $me-h {{.State.Health.Status}}' '^healthy'
	p nothing-piles-up 'x $me-t sh -c "pgrep -f \"sleep 500\" | wc -l" | awk "{exit !(\$1 < 4)}" && echo few' 'few'
}
case_logs() {
	up "$me" box sh -c 'for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.05; done; sleep 1000'
	until_true 10 "docker logs $me 2>&1 | grep -q 'err 3'"
	p out 'docker logs $me 2>/dev/null' 'out 3'
	p err 'docker logs $me 2>&1 >/dev/null' 'err 3'
	p tail 'docker logs -n 2 $me 2>&1 | wc -l' '^2'
	p stamps 'docker logs -t $me 2>/dev/null | grep -c -E "^20[0-9]{2}-"' '^3'
	p follow '(sleep 0.5; docker stop -t 0 $me) >/dev/null & timeout 20 docker logs -f $me 2>/dev/null | tail -n 1' 'out 3'
	p long-line 'd box sh -c "head -c 100000 /dev/zero | tr \"\\0\" y" | wc -c' '100000'
	p wait 'up $me-w box sh -c "sleep 0.5; exit 8"; docker wait $me-w' '^8'
}
case_states() {
	p create 'docker create --name $me --runtime $runtime box sh -c "echo ran; exit 2" >/dev/null; show $me "{{.State.Status}} {{.State.Pid}}"' 'created 0'
	p start-attached 'docker start -a $me' 'ran.*exit 2$'
	p fields 'show $me "{{.State.Status}} {{.State.Running}} {{.State.OOMKilled}} {{.State.Dead}} {{.State.Pid}} {{.State.ExitCode}} {{.State.Error}}|"' 'exited'
	p again 'docker start -a $me' 'ran.*exit 2$'
	up "$me-r" box sleep 1000
	p running 'show $me-r "{{.State.Status}} {{.State.Running}} {{.Driver}} {{.NetworkSettings.Ports}}"; [ $(show $me-r {{.State.Pid}}) -gt 1 ] && echo pid' 'pid'
	p pid-lives 'pid=$(show $me-r {{.State.Pid}}); test -d /proc/$pid && [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ] && echo own-network' 'own-network'
	p pid-netns 'pid=$(show $me-r {{.State.Pid}}); nsenter -t $pid -n ip -o -4 addr show eth0 | wc -l; [ "$(readlink /proc/$pid/ns/net)" = "$(nsenter --net=$(show $me-r {{.NetworkSettings.SandboxKey}}) readlink /proc/self/ns/net)" ] && echo same' 'same'
	p pid-group 'grep -c "$group" /proc/$(show $me-r {{.State.Pid}})/cgroup | awk "{exit !(\$1 > 0)}" && echo in-group' 'in-group'
	p running-rm 'docker rm $me-r' 'cannot remove|ou cannot remove'
	p rename 'docker rename $me-r $me-n; x $me-n echo renamed' 'renamed'
	p remove 'docker rm -f $me-n $me >/dev/null; docker ps -aq --filter name=^$me | wc -l' '^0'
	p same-name 'up $me-2 box sleep 1000; docker run --name $me-2 --runtime $runtime box true' 'already in use'
	p events 'docker events --since $(($(date +%s) - 60)) --until $(($(date +%s) + 1)) --filter container=$me-2 --format "{{.Action}}"' 'start'
	p exit-event 'docker kill $me-2 >/dev/null; ended $me-2; sleep 1; docker events --since $(($(date +%s) - 20)) --until $(date +%s) --filter container=$me-2 --filter event=die --format "{{.Action}} {{.Actor.Attributes.exitCode}}"' 'die 137'
	p ports 'docker port $me-2'
	# The daemon does one at a time and refuses the other.
	p prune 'flock $work/prune docker container prune -f --filter label=no-such >/dev/null; docker ps -aq --filter name=^$me-2$ | wc -l' '^1'
}
case_top() {
	up "$me" box sh -c 'sleep 1001 & sleep 1002 & exec sleep 1003'
	sleep 1
	x -d "$me" sleep 1004
	sleep 0.5
	p commands 'docker top $me -eo pid,comm | tail -n +2 | awk "{print \$2}" | sort' 'sleep'
	p arguments 'docker top $me | tail -n +2 | grep -o "sleep 10.*" | sort' 'sleep 1004'
	p pids-are-ours 'docker top $me -eo pid | tail -n +2 | while read -r pid; do test -d /proc/$pid && echo alive; done' 'alive'
	p columns 'docker top $me | head -n 1 | xargs; docker top $me aux | head -n 1 | xargs; docker top $me | awk "NR > 1 { print \$1, \$8, \$9 }" | sort' 'UID PID PPID C STIME TTY TIME CMD'
	p parents 'docker top $me -eo pid,ppid,args | awk "NR > 1 { parent[\$1] = \$2; name[\$1] = \$4 } END { for (i in name) print name[i], \"of\", name[parent[i]] }" | sort' '1001 of 1003'
	p count 'docker top $me -eo pid | tail -n +2 | wc -l' '^4'
	p stats 'docker stats --no-stream --format "{{.Name}} {{.PIDs}}" $me | grep -c -E "^$me [1-9]"' '^1'
	p ps 'docker ps --filter name=^$me$ --format "{{.Names}} {{.Image}} {{.State}}"' 'running'
}
