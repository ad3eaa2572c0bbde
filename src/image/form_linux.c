/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_internal.h"

int sk_layer_form(int fd)
{
	(void)fd;
	return 0;
}
