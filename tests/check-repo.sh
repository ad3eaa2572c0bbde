#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What must hold for every tracked file: who made it available under what (SPDX), no paths or hosts of one machine, nothing large
# or built, line lengths as .clang-format says, executables executable.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
complain() {
	printf '%s\n' "$*"
	bad=1
}
hits() { # MESSAGE, then a command whose lines are complaints
	local message=$1 line
	shift
	while IFS= read -r line; do complain "$message: $line"; done < <("$@" || true)
}

# SPDX lines in all that has comments.
while IFS= read -r -d '' file; do
	if [ ! -s "$file" ] || [ -L "$file" ]; then continue; fi
	head -5 "$file" | grep -q 'SPDX-License-Identifier: ' || complain "no SPDX line: $file"
done < <(git ls-files -z '*.c' '*.h' '*.sh' '*.py' '*.bash' 'scripts/*' 'bench/*' 'kernel/build' 'guest/build*' '.ci/run' 'Makefile' ':!*.txt' ':!*.md' ':!*.config')

# A C file of more than 100 lines opens with what it is for, below its license.
while IFS= read -r file; do
	complain "does not open with a comment that says what it is for: $file"
done < <(git ls-files -z '*.c' | xargs -0 -r awk 'FNR == 1 { open = 0 } FNR == 2 && /^\/\*/ { open = 1 } FNR == 101 && !open { print FILENAME }')

# Apache-2.0 everywhere but in what is derived from the kernel.
while IFS= read -r line; do
	[[ $line == *'Apache-2.0'* ]] || complain "not Apache-2.0: $line"
done < <(git grep -n 'SPDX-License-Identifier: ' -- ':!kernel/patches' ':!tests/check-repo.sh' ':!LICENSES' ':!packaging/deb/copyright' | awk -F: '!seen[$1]++')
for file in LICENSE LICENSES/GPL-2.0-only.txt; do
	[ -s "$file" ] || complain "$file is missing"
done

# Hosts that packages, images or modules come from are the machine's business: none by name. (Documentation of other projects may be
# linked to; docker.io is the name of a Debian package and the default of image names.)
hits 'a package mirror or registry by name' git grep -nIiE \
	'(deb|security|ftp[.a-z]*|snapshot)\.debian\.org|archive\.ubuntu\.com|registry-1\.docker|registry\.npmjs|pypi\.org|proxy\.golang|crates\.io|(quay|ghcr|gcr)\.io/' \
	-- ':!tests/check-repo.sh' ':!LICENSES'
hits 'a path of one machine' git grep -nIE '(^|[^[:alnum:]_./-])/(home|work|Users|workspace|builds?)/[[:alnum:]_.-]+' \
	-- ':!tests/check-repo.sh' ':!LICENSES' ':!tests/unit' ':!fuzz'
hits 'a mark of an unfinished merge' git grep -nIE '^(<<<<<<<|>>>>>>>) ' -- ':!tests/check-repo.sh'
hits 'trailing white space' git grep -nIE '[[:blank:]]+$' -- '*.c' '*.h' '*.sh' '*.py' 'scripts' 'Makefile' '*.build'

# Documents wrap at 100 columns, but for rows of tables (and a manual page's options without a blank).
hits 'document line of more than 100 characters' env LC_ALL=C.UTF-8 git grep -nIP '^(?![|*]).{101,}' -- '*.md' '*.scd' kernel/patches/README ':!man/skerry.1.scd'

# Tables of options, in which two are one.
hits 'options' tests/options.py

# Kernel patches have the header that upstream takes (kernel/README.md).
for file in kernel/patches/*.patch; do
	head=$(sed '/^diff /,$d' "$file")
	for want in 'From: .* <.*>' 'Subject: [^ ].*: .*' 'Upstream: .*' 'Signed-off-by: .* <.*>'; do
		grep -qx "$want" <<<"$head" || complain "no line \"${want%%:*}:\" in the header of $file"
	done
	grep -qE '^Subject: .{73}' <<<"$head" && complain "subject of more than 72 characters: $file"
	link=kernel/patches/fixes/${file##*/}
	if grep -q '^Upstream: .*fixes a fault of mainline' <<<"$head"; then
		[ "$(readlink "$link")" = "../${file##*/}" ] || complain "fixes a fault of mainline, but there is no link $link"
	else
		[ ! -L "$link" ] || complain "fixes no fault of mainline, but there is a link $link"
	fi
done

# Nothing built, nothing large.
hits 'a build product' git ls-files '*.o' '*.a' '*.so' '*.squashfs' '*.cpio' '*.deb' 'build/*' 'out/*'
while IFS= read -r -d '' file; do
	[ -f "$file" ] && [ "$(stat -c %s "$file")" -gt 400000 ] && complain "large file: $file"
done < <(git ls-files -z)

# What has a #! line can be run, and the other way round.
while read -r mode _ _ file; do
	[ -f "$file" ] || continue
	if IFS= read -r -n 2 start <"$file" 2>/dev/null && [ "$start" = '#!' ]; then
		[ "$mode" = 100755 ] || complain "has a #! line but is not executable: $file"
	elif [ "$mode" = 100755 ]; then
		complain "is executable without a #! line: $file"
	fi
done < <(git ls-files -s)

exit "$bad"
