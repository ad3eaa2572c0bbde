/* SPDX-License-Identifier: Apache-2.0 */
/* An archive for `load`: its members, and the documents in it. No layer is converted (see fuzz_layer). */
#include "tarmut.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/load.h"

static int each(void *arg, size_t want, struct sk_input *in, uint64_t size, struct sk_error *err)
{
	char buf[4096];
	uint64_t sum = 0;
	ssize_t n;

	(void)arg;
	(void)want;
	while ((n = in->read(in, buf, sizeof(buf), err)) > 0)
		sum += (uint64_t)n;
	if (n == 0 && sum != size)
		abort();
	return n < 0 ? (int)n : 0;
}

static void layers(struct sk_image_source *source, const struct sk_load *load)
{
	size_t i, k;

	for (i = 0; i < load->n; i++)
		for (k = 0; k < load->images[i].n_layers; k++) {
			const char *name = load->images[i].layers[k].member;

			if (name)
				(void)sk_source_each(source, &name, 1, each, NULL, NULL);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("archive", MFD_CLOEXEC), i;
	struct sk_image_source *source = NULL;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (sk_source_open(fd, NULL, &source, NULL) == 0)
		for (i = 0; i < 2; i++) {
			struct sk_load load = { .n = 0 };
			struct sk_error err = SK_ERROR_INIT;
			int r = i ? sk_load_docker(source, &load, &err)
				  : sk_load_oci(source, "linux/amd64", &load, &err);

			if ((r < 0) != (err.code != 0))
				abort();
			layers(source, &load);
			sk_load_fini(&load);
		}
	sk_source_free(source);
	close(fd);
	return 0;
}
