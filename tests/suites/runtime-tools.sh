# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The validation programs of the OCI's runtime-tools. See tests/suites/run: `kind` says for what it is, `build` builds in
# the current directory, `run` tests $RUNTIME and prints a line for each assertion.

case $1 in
kind) echo runtime ;;
build)
	CGO_ENABLED=0 go build -mod=vendor -trimpath -tags 'netgo osusergo' -o runtimetest ./cmd/runtimetest
	for dir in validation/*/; do
		name=${dir%/} name=${name##*/}
		[ "$name" = util ] || CGO_ENABLED=0 go build -mod=vendor -trimpath -o "validation/$name.t" "./validation/$name"
	done
	;;
run)
	export RUNTIME TMPDIR=$PWD
	# The programs look for the root file system and runtimetest in the current directory.
	cd "$SUITE" || exit 1
	for program in validation/*.t; do
		name=${program##*/} name=${name%.t}
		[[ -z ${ONLY:-} || $name =~ $ONLY ]] || continue
		rc=0
		text=$(timeout -k 5 $((300 * ${SLOW:-1})) "$program" 2>&1 </dev/null) || rc=$?
		awk -v t="$name" -v rc="$rc" '
			function clean(s) {
				sub(/^(not )?ok [0-9]+ *(- )?/, "", s)
				sub(/ *# *(skip|SKIP|TODO).*/, "", s)
				gsub(/[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+/, "ID", s)
				gsub(/ocitest[0-9]+/, "BUNDLE", s)
				gsub(/0x[0-9a-f]{6,}/, "ADDRESS", s)
				return s
			}
			/^(not )?ok [0-9]+/ {
				what = /^ok .*# *(skip|SKIP|TODO)/ ? "skip" : /^ok/ ? "pass" : "fail"
				name = clean($0)
				number = ++count[name]
				print what " " t ": " name (number > 1 ? " (" number ")" : "")
				next
			}
			{ print "  " t ": " $0 }
			END { print (rc == 0 ? "pass " : "fail ") t ": ran to its end" }' <<<"$text"
	done
	;;
esac
