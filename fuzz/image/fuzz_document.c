/* SPDX-License-Identifier: Apache-2.0 */
/* Texts from outside: manifests, indexes, configs, docker's manifest.json, image names, changes, skopeo's messages. The
 * first byte says which. */
#include <stdlib.h>
#include <string.h>

#include "image/changes.h"
#include "image/image_internal.h"
#include "image/skopeo.h"
#include "../input.h"

static void manifest(const uint8_t *data, size_t size)
{
	struct sk_manifest m;
	enum sk_document kind;

	(void)sk_document_kind(data, size, &kind, NULL);
	if (sk_manifest_parse(data, size, &m, NULL) == 0) {
		if (m.n_layers > SK_LAYERS_MAX || m.config.size < 0)
			abort();
		sk_manifest_fini(&m);
	}
}

static void sk_index(const uint8_t *data, size_t size)
{
	struct sk_index index;
	char text[64];

	if (sk_index_parse(data, size, &index, NULL) < 0)
		return;
	(void)sk_index_choose(&index, NULL);
	(void)sk_index_choose(&index, "linux/arm/v7");
	sk_index_platforms(&index, text, sizeof(text));
	if (strlen(text) >= sizeof(text))
		abort();
	sk_index_fini(&index);
}

static void config(const uint8_t *data, size_t size)
{
	struct sk_docker_image *images;
	struct sk_config c;
	size_t n;

	if (sk_config_parse(data, size, &c, NULL) == 0)
		sk_config_fini(&c);
	if (sk_docker_manifest_parse(data, size, &images, &n, NULL) == 0)
		sk_docker_images_free(images, n);
}

/* A name that is accepted is accepted again as it is written, and means the same. */
static void a_name(const char *text)
{
	struct sk_name one, two;
	char *key, *again;

	if (sk_name_parse(text, &one, NULL) < 0)
		return;
	key = sk_name_key(&one);
	if (sk_name_parse(key, &two, NULL) < 0)
		abort();
	again = sk_name_key(&two);
	if (strcmp(key, again) != 0)
		abort();
	sk_name_fini(&two);
	if (sk_name_parse(sk_name_short(key), &two, NULL) < 0)
		abort();
	free(again);
	again = sk_name_key(&two);
	if (strcmp(key, again) != 0)
		abort();
	sk_name_fini(&one);
	sk_name_fini(&two);
	free(key);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, out[100];
	json_t *object;

	if (size == 0)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	switch (data[0] % 6) {
	case 0:
		manifest(data + 1, size - 1);
		break;
	case 1:
		sk_index(data + 1, size - 1);
		break;
	case 2:
		config(data + 1, size - 1);
		break;
	case 3:
		a_name(text);
		break;
	case 4:
		object = json_object();
		(void)sk_change_apply(object, text, NULL);
		json_decref(object);
		break;
	default:
		if (sk_skopeo_reason(text, out, sizeof(out)) <= 0 || !out[0])
			abort();
	}
	free(text);
	return 0;
}
