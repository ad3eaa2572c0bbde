/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_HUSK_H
#define SK_IMAGE_HUSK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The husk of a layer: what its tar has beside the contents of its files, that is headers, paddings and the order of
 * its entries. The store keeps layers as file systems; a layer and its husk make the same tar again, byte for byte
 * (unsquash.h), so that an image that was pulled or loaded keeps its id when it is saved.
 *
 * Theory of operation. sk_layer_read() passes the tar stream on as it goes by (sk_husk_bytes()), and then each regular
 * file with contents, as soon as libarchive knows its name (sk_husk_file()). The two meet in the order of the files.
 * A husk is a gzip file of records, in the order of the stream, numbers little endian:
 *   'B' length:u32 bytes                literally
 *   'F' size:u64 length:u16 name        the contents of that file of the layer image
 *   'E'                                 the end
 * A tar with something else in it (sparse files, sizes in extended headers, contents where none belong, names through
 * symbolic links of the same layer) has no husk, or one that does not give the layer's diff id: whoever uses a husk
 * checks that.
 *
 * The stream is anyone's: what is held in memory and what is written are bounded by SK_HUSK_*.
 */
#define SK_HUSK_BYTES_MAX (UINT64_C(256) << 20) /* literal bytes */
#define SK_HUSK_META_MAX (1u << 20)		/* of one extended header */

struct sk_husk;

/* `fd`: the new file, borrowed until sk_husk_free(). */
int sk_husk_new(int fd, struct sk_husk **ret, struct sk_error *err);
void sk_husk_free(struct sk_husk *husk); /* accepts NULL */
/* Both accept NULL. Errors are kept for sk_husk_finish(). */
void sk_husk_bytes(struct sk_husk *husk, const void *data, size_t len);
void sk_husk_file(struct sk_husk *husk, const char *path, uint64_t size);
/* 0: the husk is complete in its file; 1: this tar has none; -errno with err set: it could not be written. */
int sk_husk_finish(struct sk_husk *husk, struct sk_error *err);

/* Return 0 or a negative errno with err set. */
struct sk_husk_sink {
	int (*bytes)(void *arg, const void *data, size_t len, struct sk_error *err);
	int (*file)(void *arg, const char *path, uint64_t size, struct sk_error *err);
	void *arg;
};
/* Reads a husk from the start of `fd`. -EBADMSG: it is damaged. */
int sk_husk_read(int fd, const struct sk_husk_sink *sink, struct sk_error *err);

#endif
