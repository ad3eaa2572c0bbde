# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# docker build: the classic builder and BuildKit, by old and new clients.

# A context with what Dockerfiles commonly do, in the working directory.
context() {
	mkdir -p context/tree/sub context/ignored
	echo payload >context/tree/sub/file
	chmod 755 context/tree/sub
	echo secret >context/ignored/file
	echo ignored >context/.dockerignore
	cat >context/Dockerfile <<-'END'
		FROM box:latest AS first
		ARG WORD=default
		RUN echo "$WORD" >/word && mkdir /out && ln /word /out/hard && ln -s hard /out/soft && chown 12:34 /out/hard
		FROM box:latest
		COPY --from=first /out /out
		COPY tree /tree
		WORKDIR /tree/sub
		USER 12:34
		RUN test ! -e /tree/ignored && test "$(cat file)" = payload && test "$(id -u)" = 12
		CMD ["cat", "/out/soft"]
	END
}

# built OPTION...: the image is what the Dockerfile says.
built() {
	ok env "$@" docker build --build-arg "WORD=$*" -t result context
	ok d run --rm result
	same "$out" "$*"
	ok d run --rm result stat -c '%u:%g' /out/hard
	same "$out" 12:34
	expect 1 d run --rm result ls /ignored
}

# case: timeout=600
case_machine_build() {
	. "$SUITE/lib.sh"
	start_machine
	context
	with_clients bookworm
	built DOCKER_BUILDKIT=0
	built DOCKER_BUILDKIT=1
	with_clients forky
	built DOCKER_BUILDKIT=0
	built DOCKER_BUILDKIT=1
	# What only BuildKit has, and that of engines from 20.10 on: mounts of caches and secrets, files in the Dockerfile, output to the host.
	cat >context/Dockerfile <<-'END'
		FROM box:latest AS made
		RUN --mount=type=secret,id=word --mount=type=tmpfs,target=/t cat /run/secrets/word >/made && touch /t/x
		RUN --mount=type=cache,target=/cache echo x >>/cache/count && wc -l </cache/count | tr -d ' ' >/count
		RUN --mount=type=bind,source=tree,target=/bound cat /bound/sub/file >/bound-file
		FROM scratch
		COPY --from=made /made /count /bound-file /
	END
	echo 'the word' >word
	ok docker build --secret id=word,src=word --output "$WORK/result" context
	same "$(cat result/made result/count result/bound-file | tr '\n' ' ')" 'the word 1 payload '
	echo changed >context/tree/sub/file
	ok docker build --secret id=word,src=word --output "$WORK/result" context
	same "$(cat result/bound-file)" changed
	# Emulators of other processors are found, and soon.
	if [ -e "$E2E_STAGE/guest/qemu-user.squashfs" ]; then
		local from=$SECONDS
		ok docker buildx inspect
		has "$out" 'linux/amd64.*linux/arm64.*linux/riscv64.*linux/ppc64le.*linux/s390x.*linux/arm/v7'
		printf 'asked for emulators for %s s\n' "$((SECONDS - from))"
		ok skerry machine ssh 'cat /proc/$(pidof dockerd)/environ | tr "\0" "\n"'
		has "$out" '^QEMU_GUEST_BASE='
	fi
	printf 'FROM box\nRUN false\n' >context/Dockerfile
	expect 1 docker build context
	has "$err" 'exit code: 1|returned a non-zero code: 1'
}
