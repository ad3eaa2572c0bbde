/* SPDX-License-Identifier: Apache-2.0 */
/* watch DIRECTORY…: a program of a guest that prints what inotify tells of directories, one line each; first "ready". */
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define DIRECTORIES 16
#define MASK (IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO)

static const struct {
	uint32_t bit;
	const char *name;
} kinds[] = { { IN_CREATE, "create" },		 { IN_DELETE, "delete" },	  { IN_MODIFY, "modify" },
	      { IN_CLOSE_WRITE, "close_write" }, { IN_MOVED_FROM, "moved_from" }, { IN_MOVED_TO, "moved_to" } };

static void print(const struct inotify_event *e, const char *dir)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (e->mask & kinds[i].bit)
			printf("%s %s/%s\n", kinds[i].name, dir, e->len ? e->name : "");
	if (e->mask & IN_Q_OVERFLOW)
		printf("overflow\n");
}

int main(int argc, char **argv)
{
	_Alignas(struct inotify_event) char buf[4096 + NAME_MAX];
	int fd = inotify_init1(IN_CLOEXEC), id[DIRECTORIES], i;
	ssize_t n;

	if (argc < 2 || argc > DIRECTORIES || fd < 0)
		return 2;
	for (i = 1; i < argc; i++) {
		id[i] = inotify_add_watch(fd, argv[i], MASK);
		if (id[i] < 0)
			return 1;
	}
	printf("ready\n");
	fflush(stdout);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		const char *at = buf;

		while (at < buf + n) {
			const struct inotify_event *e = (const void *)at;

			for (i = 1; i < argc && id[i] != e->wd; i++)
				;
			print(e, i < argc ? argv[i] : "?");
			at += sizeof(*e) + e->len;
		}
		fflush(stdout);
	}
	return 1;
}
