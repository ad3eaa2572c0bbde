# SPDX-License-Identifier: Apache-2.0
#
# Prints the options of getopt tables (struct option) that have the value of another one of their table. For tests/check-repo.sh.
/struct option [a-z_]+\[\]/ { inside = 1; delete seen }
inside {
	line = $0
	while (match(line, /\{ "[^"]+", [a-z_]+, [^,]+, [^ }]+ \}/)) {
		entry = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		name = entry; sub(/^\{ "/, "", name); sub(/".*/, "", name)
		value = entry; sub(/ \}$/, "", value); sub(/.*, /, "", value)
		if (value != "'x'" && value in seen)
			print FILENAME ": --" name " and --" seen[value] " have the same value " value
		seen[value] = name
	}
}
inside && /^\t+\};/ { inside = 0 }
