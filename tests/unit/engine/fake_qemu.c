/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for QEMU where what is tested is how we deal with it. What it does is in its name. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int version(const char *name)
{
	if (strstr(name, "old"))
		puts("QEMU emulator version 6.2.0 (v6.2.0-dirty)");
	else if (strstr(name, "odd"))
		puts("What is a version?");
	else
		puts("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)");
	return 0;
}

static int hang(void)
{
	/* A family of them, none of which ends by itself. */
	if (fork() < 0)
		return 1;
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	name = name ? name + 1 : argv[0];
	if (argc > 1 && strcmp(argv[1], "--version") == 0)
		return version(name);
	if (strstr(name, "dies")) {
		fputs("qemu: failed to initialize kvm: No such device\n\n", stderr);
		return 1;
	}
	if (strstr(name, "asserts")) {
		fputs("qemu-system-x86_64: ../../target/i386/kvm/kvm.c:2792: kvm_buf_set_msrs: "
		      "Assertion `ret == cpu->kvm_msr_buf->nmsrs' failed.\n",
		      stderr);
		return 1;
	}
	if (strstr(name, "works")) {
		puts("skerry-probe: it runs");
		fflush(stdout);
	} else {
		puts("Linux version");
		fflush(stdout);
	}
	return hang();
}
