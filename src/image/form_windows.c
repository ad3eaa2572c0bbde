/* SPDX-License-Identifier: Apache-2.0 */
#include "base/vhd.h"
#include "image/image_internal.h"

/* Hyper-V shows it to a guest as it is. */
int sk_layer_form(int fd)
{
	return sk_vhd_make(fd);
}
