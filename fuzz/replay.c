/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of a directory, without libFuzzer: the committed corpus as a unit test. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "input.h"

static unsigned char data[1 << 20];

int main(int argc, char **argv)
{
	unsigned count = 0;
	struct dirent *e;
	DIR *d;

	if (argc != 2 || !(d = opendir(argv[1]))) {
		fprintf(stderr, "replay: no corpus directory\n");
		return 1;
	}
	while ((e = readdir(d))) {
		char path[4096];
		size_t n;
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		f = fopen(path, "rb");
		if (!f)
			return 1;
		n = fread(data, 1, sizeof(data), f);
		fclose(f);
		LLVMFuzzerTestOneInput(data, n);
		count++;
	}
	closedir(d);
	printf("%u inputs\n", count);
	return count == 0;
}
