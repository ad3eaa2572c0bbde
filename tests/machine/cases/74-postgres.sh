# shellcheck shell=bash disable=SC1091,SC2016,SC2086,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# A database under load in a machine, on a directory of the host and on a volume: the engine killed, the monitor killed, the whole VM killed (a
# power cut), the machine rebooted. What was acknowledged has to be there, and the container comes back by its restart policy.

vm_gone() { bash -c 'skerry machine ls --format "{{.Running}}" | grep -q false'; }
# The ways to end it. Only the first leaves the database running.
end_engine() { ok skerry machine ssh 'kill -9 $(pidof dockerd)'; }
end_shims() { ok skerry machine ssh 'kill -9 $(pidof dockerd containerd containerd-shim-runc-v2)'; }
end_monitor() {
	kill -9 "$(machine_pid)"
	until_ok 30 vm_gone
	ok skerry machine start -q
}
# All that the VM is: the guest's processes first, as they are the ones that would write on.
end_power() {
	local pids
	pids=$(python3 -c 'import os, sys
todo, found = [int(sys.argv[1])], []
while todo:
    pid = todo.pop(0)
    try:
        todo += [int(k) for t in os.listdir(f"/proc/{pid}/task") for k in open(f"/proc/{pid}/task/{t}/children").read().split()]
        found.append(pid)
    except OSError:
        pass
print(*reversed(found))' "$(machine_pid)")
	kill -9 $pids 2>/dev/null || true
	until_ok 30 vm_gone
	ok skerry machine start -q
}
end_reboot() { ok skerry machine restart -q; }

postgres_in_machine() {
	local data=$1 loader way
	start_machine --memory 2g
	load_image postgres
	cp -r "$E2E_STAGE/mounts" "$HOME/suite"
	ok d run -d --name pg --restart always --shm-size 128m -v "$HOME/suite:/suite:ro" -v "$data:/data" postgres bash /suite/postgres.sh serve
	ready_in 240 pg bash /suite/postgres.sh ready
	ok d exec pg bash /suite/postgres.sh bench 3
	for way in engine monitor power reboot shims; do
		load_for 8 pg bash /suite/postgres.sh load
		"end_$way"
		wait "$loader" || true
		ready_in 240 pg bash /suite/postgres.sh ready
		# A load that the engine's end has left running: it has what it was told.
		ok d exec pg bash /suite/postgres.sh check "$(last_acked "$WORK/acked")"
		printf '%s: %s acknowledged\n' "$way" "$(last_acked "$WORK/acked")"
		ok d restart -t 60 pg
		ready_in 240 pg bash /suite/postgres.sh ready
	done
	ok d stop -t 60 pg
}
# case: full timeout=1800
case_machine_postgres_bind() {
	. "$SUITE/lib.sh"
	postgres_in_machine "$HOME/data"
}
# case: full timeout=1800
case_machine_postgres_volume() {
	. "$SUITE/lib.sh"
	postgres_in_machine data
}
