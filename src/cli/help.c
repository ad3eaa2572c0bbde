/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts from the tables, in the layout of docker's (spf13/cobra and pflag). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"
#include "cli/cli.h"

static size_t width(void)
{
	unsigned columns = sk_terminal_width(STDOUT_FILENO);

	return columns > 20 ? columns : 80;
}

struct rows {
	const struct sk_opt *v[256];
	size_t n;
};

static bool collect(const struct sk_opt *o, void *arg)
{
	struct rows *rows = arg;

	if (!o->hidden && o->type != SK_OPT_REFUSED && o->type != SK_OPT_IGNORED && rows->n < 256)
		rows->v[rows->n++] = o;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct sk_opt *const *)a)->name, (*(const struct sk_opt *const *)b)->name);
}

static int left_part(const struct sk_opt *o, char *buf, size_t size)
{
	char letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	return snprintf(buf, size, "  %s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
}

/* Prints `text` wrapped, further lines indented by `indent`. The cursor is at `indent`. */
static void wrap(const char *text, size_t indent, size_t columns)
{
	size_t at = indent;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (at > indent && at + 1 + n > columns) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			putchar(' ');
			at++;
		}
		printf("%.*s", (int)n, text);
		at += n;
		text += n;
		while (*text == ' ')
			text++;
	}
	putchar('\n');
}

static void print_opts(const struct sk_opt *opts, const char *title)
{
	struct rows rows = { .n = 0 };
	size_t i, left = 0;
	char buf[128];

	sk_opt_each(opts, collect, &rows);
	if (!rows.n)
		return;
	qsort(rows.v, rows.n, sizeof(rows.v[0]), by_name);
	for (i = 0; i < rows.n; i++) {
		size_t n = (size_t)left_part(rows.v[i], buf, sizeof(buf));

		left = n > left ? n : left;
	}
	left += 3;
	printf("\n%s:\n", title);
	for (i = 0; i < rows.n; i++) {
		left_part(rows.v[i], buf, sizeof(buf));
		printf("%-*s", (int)left, buf);
		wrap(rows.v[i]->help ? rows.v[i]->help : "", left, width());
	}
}

void sk_help_command(const struct sk_command *c, const char *typed)
{
	printf("Usage:  %s%s%s\n\n%s\n", typed, c->args && *c->args ? " " : "", c->args ? c->args : "", c->summary);
	if (c->details)
		printf("\n%s\n", c->details);
	if (c->aliases)
		printf("\nAliases:\n  %s\n", c->aliases);
	if (c->opts)
		print_opts(c->opts, "Options");
}

/* Aliases are not, nor is what this system does not have. */
static bool is_shown(const struct sk_verb *v)
{
	const struct sk_verb *below = v->group;

	if (v->hidden || (v->command && v->command->refused))
		return false;
	while (below && below->name && !is_shown(below))
		below++;
	return !below || below->name;
}

static void print_verbs(const struct sk_verb *verbs, const char *title, bool (*want)(const struct sk_verb *v))
{
	const struct sk_verb *v;
	size_t longest = 0;
	bool first = true;

	for (v = verbs; v->name; v++)
		if (is_shown(v) && strlen(v->name) > longest)
			longest = strlen(v->name);
	for (v = verbs; v->name; v++) {
		if (!is_shown(v) || !want(v))
			continue;
		if (first)
			printf("\n%s:\n", title);
		first = false;
		printf("  %-*s   %s\n", (int)longest, v->name, v->command ? v->command->summary : v->summary);
	}
}

static bool is_any(const struct sk_verb *v)
{
	(void)v;
	return true;
}

static bool is_common(const struct sk_verb *v)
{
	return v->common;
}

static bool is_group(const struct sk_verb *v)
{
	return v->group != NULL;
}

static bool is_plain(const struct sk_verb *v)
{
	return !v->common && !v->group;
}

void sk_help_group(const struct sk_verb *verbs, const char *typed, const char *summary)
{
	printf("Usage:  %s COMMAND\n\n%s\n", typed, summary);
	print_verbs(verbs, "Commands", is_any);
	printf("\nRun '%s COMMAND --help' for more information on a command.\n", typed);
}

void sk_help_program(const struct sk_verb *verbs, const struct sk_opt *global)
{
	printf("Usage:  skerry [OPTIONS] COMMAND\n\nLinux containers, each in a small VM with its own kernel\n");
	print_verbs(verbs, "Common Commands", is_common);
	print_verbs(verbs, "Management Commands", is_group);
	print_verbs(verbs, "Commands", is_plain);
	print_opts(global, "Global Options");
	printf("\nRun 'skerry COMMAND --help' for more information on a command.\n");
}
