/* SPDX-License-Identifier: Apache-2.0 */
/* --format templates, and the lists that use them. */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/jx.h"
#include "cli/print/list.h"
#include "cli/print/tmpl.h"
#include "written.h"

static const char data[] =
	"{\"ID\":\"abc\",\"Name\":\"/web\",\"N\":3,\"Zero\":0,\"Empty\":\"\",\"Nil\":null,\"On\":true,"
	"\"State\":{\"Status\":\"running\",\"Pid\":12},\"Cmd\":[\"sh\",\"-c\",\"x y\"],"
	"\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}],\"443/tcp\":null},\"Labels\":{\"b\":\"2\",\"a\":\"1\"}}";

static char *run(const char *template)
{
	json_t *dot = json_loads(data, 0, NULL), *labels = json_object_get(dot, "Labels");
	struct sk_error err = SK_ERROR_INIT;
	struct sk_text out = { 0 };
	struct sk_tmpl *t;

	if (sk_tmpl_parse(template, &t, &err) < 0) {
		sk_text_puts(&out, "!");
	} else if (sk_tmpl_run(t, dot, labels, &out, &err) < 0) {
		out.len = 0;
		sk_text_puts(&out, "!");
		sk_tmpl_free(t);
	} else {
		sk_tmpl_free(t);
	}
	if (out.s && out.s[0] == '!')
		assert_int_not_equal(err.message[0], 0);
	json_decref(dot);
	return sk_text_take(&out);
}

static void test_templates(void **state)
{
	static const char *const cases[][2] = {
		{ "{{.ID}}", "abc" },
		{ "x{{ .State.Status }}y", "xrunningy" },
		{ "{{json .State}}", "{\"Status\":\"running\",\"Pid\":12}" },
		{ "{{json .Cmd}} {{.N}} {{.On}} {{.Nil}}", "[\"sh\",\"-c\",\"x y\"] 3 true <no value>" },
		{ "{{.Labels.a}} {{.Labels.nope}}", "1 <no value>" },
		{ "{{.State.nope}}", "!" },
		{ "{{.Cmd}} {{.Labels}}", "[sh -c x y] map[a:1 b:2]" },
		{ "{{join .Cmd \",\"}}", "sh,-c,x y" },
		{ "{{.Cmd | len}} {{len .Name}}", "3 4" },
		{ "{{upper .ID}} {{.ID | upper | lower}} {{title \"ab cd\"}}", "ABC abc Ab Cd" },
		{ "{{if .On}}yes{{else}}no{{end}}", "yes" },
		{ "{{if .Empty}}a{{else if eq .N 3}}b{{else}}c{{end}}", "b" },
		{ "{{if and .On (not .Zero)}}1{{end}}{{if or .Zero .Empty}}2{{end}}", "1" },
		{ "{{range .Cmd}}<{{.}}>{{end}}", "<sh><-c><x y>" },
		{ "{{range $i, $v := .Cmd}}{{if $i}} {{end}}{{$i}}={{$v}}{{end}}", "0=sh 1=-c 2=x y" },
		{ "{{range $p, $c := .Ports}}{{$p}}:{{(index $c 0).HostPort}} {{end}}", "!" },
		{ "{{range $p, $c := .Ports}}{{$p}}{{if $c}}->{{(index $c 0).HostPort}}{{end}} {{end}}",
		  "443/tcp 80/tcp->8080 " },
		{ "{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080" },
		{ "{{index .Labels \"a\"}}|{{index .Labels \"nope\"}}|{{.Label \"b\"}}", "1||2" },
		{ "{{with .State}}{{.Pid}} {{$.ID}}{{end}}", "12 abc" },
		{ "{{with .Empty}}x{{else}}none{{end}}", "none" },
		{ "{{$x := .ID}}{{$x}}{{$x = \"z\"}}{{$x}}", "abcz" },
		{ "{{printf \"%s-%d-%5.1f|%-4s|%q|%%\" .ID .N 2.25 \"a\" \"b\"}}", "abc-3-  2.2|a   |\"b\"|%" },
		{ "{{println .ID .N}}", "abc 3\n" },
		{ "{{truncate .ID 2}}{{pad .ID 1 2}}", "ab abc  " },
		{ "a {{- .ID -}} b", "aabcb" },
		{ "{{/* nothing */}}{{.ID}}", "abc" },
		{ "{{range .Cmd}}{{if eq . \"-c\"}}{{break}}{{end}}{{.}}{{end}}", "sh" },
		{ "{{range .Labels}}{{.}}{{end}}{{range .Nil}}x{{else}}empty{{end}}", "12empty" },
		{ "{{split \"a:b\" \":\"}}", "[a b]" },
		{ "{{`raw }}`}}{{\"q\\\"}}\"}}", "raw }}q\"}}" },
		{ "{{eq .ID \"x\" \"abc\"}} {{lt 1 2}} {{ge .N 3}} {{ne .N 3}}", "true true true false" },
		{ "", "" },
		{ "{{.Nope}}", "!" },
		{ "{{.State.Status.X}}", "!" },
		{ "{{", "!" },
		{ "{{}}", "!" },
		{ "{{if .ID}}", "!" },
		{ "{{end}}", "!" },
		{ "{{nofunc .ID}}", "!" },
		{ "{{.ID .N}}", "!" },
		{ "{{len}}", "!" },
		{ "{{$nope}}", "!" },
		{ "{{(.ID}}", "!" },
		{ "{{range .N}}{{end}}", "!" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = run(cases[i][0]);

		if (strcmp(got, cases[i][1]) != 0)
			print_message("%s\n", cases[i][0]);
		assert_string_equal(got, cases[i][1]);
		free(got);
	}
}

static void test_depth(void **state)
{
	struct sk_text t = { 0 };
	char *got;
	int i;

	(void)state;
	for (i = 0; i < 200; i++)
		sk_text_puts(&t, "{{if .On}}");
	got = run(t.s);
	assert_string_equal(got, "!");
	free(got);
	t.len = 0;
	sk_text_puts(&t, "{{");
	for (i = 0; i < 200; i++)
		sk_text_puts(&t, "(");
	sk_text_puts(&t, "}}");
	got = run(t.s);
	assert_string_equal(got, "!");
	free(got);
	sk_text_fini(&t);
}

static const struct sk_column columns[] = { { "ID", "CONTAINER ID" }, { "Name", "NAMES" }, { NULL, NULL } };

static char *list_with(const char *format)
{
	struct sk_list list = { .format = format, .table = "{{.ID}}\t{{.Name}}", .columns = columns };
	json_t *rows = json_pack("[{s:s,s:s,s:{s:s}}]", "ID", "1", "Name", "web", SK_ROW_LABELS, "k", "v");
	struct sk_error err = SK_ERROR_INIT;
	FILE *out = written_open();

	assert_int_equal(sk_list_check(&list, &err), 0);
	assert_int_equal(sk_list_print(&list, rows, out, &err), 0);
	json_decref(rows);
	return written_end(out);
}

static void test_list(void **state)
{
	static const char *const cases[][2] = {
		{ NULL, "CONTAINER ID   NAMES\n1              web\n" },
		{ "table {{.Name}}\\t{{.ID}}", "NAMES     CONTAINER ID\nweb       1\n" },
		{ "json", "{\"ID\":\"1\",\"Name\":\"web\"}\n" },
		{ "{{json .}}", "{\"ID\":\"1\",\"Name\":\"web\"}\n" },
		{ "{{.ID}} {{.Label \"k\"}}", "1 v\n" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = list_with(cases[i][0]);

		assert_string_equal(got, cases[i][1]);
		free(got);
	}
}

/* An unknown field is found without a row; what may do on rows is not. */
static void test_list_check(void **state)
{
	static const struct {
		const char *format, *says;
	} cases[] = {
		{ NULL, "" },
		{ "json", "" },
		{ "{{.ID}}{{.Name}}{{.Label \"x\"}}", "" },
		{ "{{index (split .ID \":\") 1}}", "" },
		{ "{{.Nothing}}", "map has no entry for key \"Nothing\"" },
		{ "table {{.ID}} {{if .Nothing}}{{end}}", "map has no entry for key \"Nothing\"" },
		{ "{{.ID", "unclosed action" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sk_list list = { .format = cases[i].format, .table = "{{.ID}}", .columns = columns };
		struct sk_error err = SK_ERROR_INIT;
		int r = sk_list_check(&list, &err);

		assert_int_equal(r, *cases[i].says ? -EINVAL : 0);
		assert_non_null(strstr(err.message, cases[i].says));
		if (r == 0)
			assert_string_equal(err.message, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
