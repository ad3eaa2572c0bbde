/* SPDX-License-Identifier: Apache-2.0 */
/* --filter: which are taken and what each selects, beside docker. */
#include "../sk_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/jx.h"
#include "model/select.h"

struct table {
	const char *name;
	const struct sk_filter_key *keys;
};

static const struct table ps = { "ps", sk_ps_filters }, images = { "images", sk_images_filters },
			  image_prune = { "image prune", sk_image_prune_filters },
			  container_prune = { "container prune", sk_container_prune_filters },
			  volumes = { "volume ls", sk_volume_ls_filters },
			  volume_prune = { "volume prune", sk_volume_prune_filters },
			  system_prune = { "system prune", sk_system_prune_filters };

/* Words of a list, each a filter. */
static struct sk_strv split(const char *words)
{
	struct sk_strv f = { 0 };

	sk_strv_split(&f, words, ' ');
	return f;
}

/* Docker's error for each; "" when docker accepts it. */
static void test_check(void **state)
{
	static const struct {
		const struct table *table;
		const char *filters, *says;
	} cases[] = {
		{ &ps, "foo=bar", "invalid filter 'foo'" },
		{ &ps, "label!=x", "invalid filter 'label!'" },
		{ &ps, "name", "bad format of filter (expected name=value)" },
		{ &ps, "name=web id=0123 label=a label=a=b status=running exited=0", "" },
		{ &ps, "status=sleeping", "invalid filter 'status=[sleeping]'" },
		{ &ps, "health=healthy", "" },
		{ &ps, "health=fine", "invalid filter 'health=[fine]'" },
		{ &ps, "is-task=perhaps", "invalid filter 'is-task=[perhaps]'" },
		{ &ps, "exited=one", "invalid filter 'exited=[one]'" },
		{ &ps, "publish=80/udp expose=8000-8010/tcp", "" },
		{ &ps, "publish=http", "invalid filter 'publish=[http]'" },
		{ &ps, "until=1h", "invalid filter 'until'" },
		{ &images, "dangling=true before=a since=b label=x reference=d* until=24h", "" },
		{ &images, "dangling=x", "invalid filter 'dangling=[x]'" },
		{ &images, "reference=[a-c]* reference=[^a] reference=\\[x", "" },
		{ &images, "reference=[a", "invalid filter 'reference=[[a]'" },
		{ &images, "reference=[]", "invalid filter 'reference=[[]]'" },
		{ &images, "reference=x\\", "invalid filter 'reference=[x\\]'" },
		{ &images, "until=soon", "invalid filter 'until=[soon]'" },
		{ &images, "label!=x", "invalid filter 'label!'" },
		{ &image_prune, "until=100h label=a label!=b dangling=false", "" },
		{ &image_prune, "until=100h until=1h", "more than one until filter specified" },
		{ &image_prune, "reference=x", "invalid filter 'reference'" },
		{ &container_prune, "until=100h label=a label!=b", "" },
		{ &container_prune, "name=x", "invalid filter 'name'" },
		{ &volumes, "dangling=1 driver=local label=a name=x", "" },
		{ &volumes, "foo=x", "invalid filter 'foo'" },
		{ &volume_prune, "all=true label!=a", "" },
		{ &volume_prune, "until=1h", "invalid filter 'until'" },
		{ &system_prune, "until=1h label=a label!=b", "" },
		{ &system_prune, "dangling=true", "invalid filter 'dangling'" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(cases); i++) {
		struct sk_strv f = split(cases[i].filters);
		struct sk_error err = SK_ERROR_INIT;
		int r = sk_filter_check(&f, cases[i].table->keys, &err);

		if ((r == 0) != (cases[i].says[0] == '\0') || !strstr(err.message, cases[i].says))
			fail_msg("%s %s: %d \"%s\"", cases[i].table->name, cases[i].filters, r, err.message);
		sk_strv_fini(&f);
	}
}

static json_t *parse(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	return o;
}

static void make_containers(struct sk_container c[3])
{
	memset(c, 0, 3 * sizeof(*c));
	strcpy(c[0].id, "aaaa1111");
	c[0].config = parse("{\"Name\":\"/web\",\"Created\":\"2026-03-03T00:00:00Z\",\"Image\":\"sha256:1234567\","
			    "\"Config\":{\"Image\":\"debian:13\",\"Labels\":{\"a\":\"b\"}},"
			    "\"HostConfig\":{\"NetworkMode\":\"bridge\"},"
			    "\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}],\"53/udp\":null}},"
			    "\"Mounts\":[{\"Type\":\"volume\",\"Name\":\"data\",\"Source\":\"/s/data\","
			    "\"Destination\":\"/var/lib\"}]}");
	c[0].state = parse("{\"status\":\"running\",\"exit_code\":0}");
	strcpy(c[1].id, "bbbb2222");
	c[1].config = parse("{\"Name\":\"/db\",\"Created\":\"2026-02-02T00:00:00Z\","
			    "\"Image\":\"sha256:7654321\",\"Config\":{\"Image\":\"moved:latest\",\"Labels\":{\"a\":"
			    "\"c\",\"x\":\"\"}},"
			    "\"NetworkSettings\":{\"Ports\":{\"5432/tcp\":null}},"
			    "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/srv\",\"Destination\":\"/data\"}]}");
	c[1].state = parse("{\"status\":\"exited\",\"exit_code\":3}");
	strcpy(c[2].id, "cccc3333");
	c[2].config = parse("{\"Name\":\"/web2\",\"Created\":\"2026-01-01T00:00:00Z\",\"Config\":{}}");
	c[2].state = parse("{\"status\":\"created\",\"exit_code\":0}");
}

/* The names that are left, one letter each: w(eb), d(b), 2. */
static void test_containers(void **state)
{
	static const struct {
		const struct table *table;
		const char *filters, *left;
	} cases[] = {
		{ &ps, "volume=data", "w" },
		{ &ps, "volume=/var/lib", "w" },
		{ &ps, "volume=/srv", "d" },
		{ &ps, "volume=/s/data", "" },
		{ &ps, "volume=X", "" },
		{ &ps, "volume=data volume=/data", "wd" },
		{ &ps, "health=none", "wd2" },
		{ &ps, "health=healthy", "" },
		{ &ps, "is-task=true", "" },
		{ &ps, "is-task=false", "wd2" },
		{ &ps, "name=web", "w2" },
		{ &ps, "name=^web$", "w" },
		{ &ps, "name=^/web$", "w" },
		{ &ps, "name=db name=web2", "d2" },
		{ &ps, "id=bbbb", "d" },
		{ &ps, "id=", "" },
		{ &ps, "label=a", "wd" },
		{ &ps, "label=a=b", "w" },
		{ &ps, "label=a label=x", "d" },
		{ &ps, "status=running", "w" },
		{ &ps, "status=running status=created", "w2" },
		{ &ps, "exited=3", "d" },
		{ &ps, "exited=0", "" },
		{ &ps, "ancestor=debian:13", "w" },
		{ &ps, "ancestor=debian:trixie", "w" },
		{ &ps, "ancestor=postgres", "d" },
		{ &ps, "ancestor=postgres:old", "" },
		{ &ps, "ancestor=1234", "w" },
		{ &ps, "ancestor=moved", "" },
		{ &ps, "ancestor=debian:13 ancestor=postgres", "wd" },
		{ &ps, "before=web", "d2" },
		{ &ps, "since=db", "w" },
		{ &ps, "before=web since=web2", "d" },
		{ &ps, "before=nothing", "" },
		{ &ps, "publish=8080", "w" },
		{ &ps, "publish=8000-8100/tcp", "w" },
		{ &ps, "publish=8080/udp", "" },
		{ &ps, "publish=80", "" },
		{ &ps, "publish=53/udp", "" },
		{ &ps, "expose=53/udp", "w" },
		{ &ps, "expose=70-90/tcp", "w" },
		{ &ps, "expose=5432", "" },
		{ &ps, "network=bridge", "w" },
		{ &ps, "label=a status=exited", "d" },
		{ &container_prune, "until=2026-02-15", "d2" },
		{ &container_prune, "label!=a", "2" },
		{ &container_prune, "label!=a=b", "d2" },
		{ &container_prune, "until=2026-02-15 label=a", "d" },
	};
	json_t *stored = parse("[{\"Id\":\"sha256:1234567\",\"RepoTags\":[\"debian:13\",\"debian:trixie\"]},"
			       "{\"Id\":\"sha256:7654321\",\"RepoTags\":[\"postgres:latest\"]},"
			       "{\"Id\":\"sha256:9999999\",\"RepoTags\":[\"moved:latest\"]}]");
	struct sk_container c[3];
	struct sk_containers all = { c, 3 };
	size_t i, k;

	(void)state;
	make_containers(c);
	for (i = 0; i < SK_ARRAY_SIZE(cases); i++) {
		struct sk_strv f = split(cases[i].filters);
		char left[4] = "";
		size_t n = 0;

		for (k = 0; k < 3; k++) {
			struct sk_select_container s = { &c[k], &all, stored };

			if (sk_filter_wants(&f, cases[i].table->keys, &s))
				left[n++] = "wd2"[k];
		}
		if (strcmp(left, cases[i].left) != 0)
			fail_msg("%s %s: \"%s\"", cases[i].table->name, cases[i].filters, left);
		sk_strv_fini(&f);
	}
	for (k = 0; k < 3; k++)
		sk_container_fini(&c[k]);
	json_decref(stored);
}

/* Keys in whatever case, blanks around keys and values: what docker's command line makes of them. */
static void test_normalized(void **state)
{
	struct sk_strv f = { 0 };
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	sk_strv_add(&f, " NaMe\t=  Web x ");
	sk_strv_add(&f, "");
	sk_strv_add(&f, "label= a = b");
	assert_int_equal(sk_filter_check(&f, sk_ps_filters, &err), 0);
	assert_string_equal(f.v[0], "name=Web x");
	assert_string_equal(f.v[2], "label=a = b");
	sk_strv_fini(&f);
}

static void test_images(void **state)
{
	static const struct {
		const struct table *table;
		const char *filters, *left;
	} cases[] = {
		{ &images, "before=debian:13", "o" },
		{ &images, "since=old:1", "d" },
		{ &images, "since=debian:13", "" },
		{ &images, "before=dddd1111", "o" },
		{ &images, "label=k", "d" },
		{ &images, "label=k=v", "d" },
		{ &images, "label=k=w", "" },
		{ &images, "until=2026-02-15", "o" },
		{ &images, "dangling=false", "do" },
		{ &images, "dangling=true", "" },
		{ &images, "reference=deb*", "d" },
		{ &images, "reference=old", "o" },
		{ &images, "reference=[a-e]ebian", "d" },
		{ &images, "reference=[^d]*", "o" },
		{ &images, "reference=*[3-4]", "d" },
		{ &images, "reference=ol\\d:?", "o" },
		{ &images, "reference=**d*:1", "o" },
		{ &image_prune, "until=2026-02-15", "o" },
		{ &image_prune, "until=2025-01-01", "" },
		{ &image_prune, "label!=k", "o" },
		{ &image_prune, "label=k until=2026-12-01", "d" },
	};
	json_t *all = parse("[{\"Id\":\"sha256:dddd1111\",\"RepoTags\":[\"debian:13\"],"
			    "\"Created\":\"2026-03-03T00:00:00Z\",\"Labels\":{\"k\":\"v\"}},"
			    "{\"Id\":\"sha256:eeee2222\",\"RepoTags\":[\"old:1\"],"
			    "\"Created\":\"2026-01-01T00:00:00Z\"}]");
	size_t i, k;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(cases); i++) {
		struct sk_strv f = split(cases[i].filters);
		char left[4] = "";
		size_t n = 0;

		for (k = 0; k < 2; k++) {
			json_t *image = json_array_get(all, k);
			struct sk_select_image s = {
				image, json_string_value(json_array_get(json_object_get(image, "RepoTags"), 0)), all
			};

			if (sk_filter_wants(&f, cases[i].table->keys, &s))
				left[n++] = "do"[k];
		}
		if (strcmp(left, cases[i].left) != 0)
			fail_msg("%s %s: \"%s\"", cases[i].table->name, cases[i].filters, left);
		sk_strv_fini(&f);
	}
	json_decref(all);
}

static void test_volumes(void **state)
{
	static const struct {
		const struct table *table;
		const char *filters;
		bool wanted;
	} cases[] = {
		{ &volumes, "name=at", true },	      { &volumes, "name=x", false },
		{ &volumes, "name=^data$", true },    { &volumes, "name=^at", false },
		{ &volumes, "driver=local", true },   { &volumes, "driver=nfs", false },
		{ &volumes, "label=k=v", true },      { &volumes, "label=q", false },
		{ &volumes, "dangling=true", false }, { &volumes, "dangling=0", true },
		{ &volume_prune, "label!=k", false }, { &volume_prune, "label!=q all=1", true },
	};
	json_t *v = parse("{\"Name\":\"data\",\"Driver\":\"local\",\"Labels\":{\"k\":\"v\"}}");
	struct sk_select_volume s = { v, true };
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(cases); i++) {
		struct sk_strv f = split(cases[i].filters);

		if (sk_filter_wants(&f, cases[i].table->keys, &s) != cases[i].wanted)
			fail_msg("%s %s", cases[i].table->name, cases[i].filters);
		sk_strv_fini(&f);
	}
	json_decref(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),  cmocka_unit_test(test_normalized), cmocka_unit_test(test_containers),
		cmocka_unit_test(test_images), cmocka_unit_test(test_volumes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
