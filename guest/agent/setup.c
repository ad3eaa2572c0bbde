/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation `setup`, once for each boot: clock, entropy, host name, network, programs of other processors, sysctl. And later corrections of the
 * clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "boot.h"
#include "foreign.h"
#include "tap.h"

#define SEED_MAX 512u
#define CLOCK_KEPT_NS INT64_C(50000000)
#define NS_PER_SEC INT64_C(1000000000)

/*
 * User-mode Linux takes its clock from the host's when it boots, which is more exact than a message, late by its way:
 * the clock stays as it is if the message could have been sent just before.
 */
static bool clock_is_right(int64_t sec, int64_t nsec)
{
	struct timespec now;
	int64_t late;

	clock_gettime(CLOCK_REALTIME, &now);
	if (sec < now.tv_sec - 1 || sec > now.tv_sec)
		return false;
	late = (now.tv_sec - sec) * NS_PER_SEC + now.tv_nsec - nsec;
	return late >= 0 && late <= CLOCK_KEPT_NS;
}

int sk_setup_clock(const struct sk_time *time, struct sk_error *err)
{
	const struct timespec ts = { .tv_sec = time->sec, .tv_nsec = time->nsec };

	if (clock_is_right(time->sec, time->nsec))
		return 0;
	return clock_settime(CLOCK_REALTIME, &ts) < 0 ? sk_error_errno(err, errno, "cannot set the clock") : 0;
}

int sk_adjust_clock(int64_t ns, struct sk_error *err)
{
	/* The kernel adds the offset itself, so no time passes between reading the clock and setting it. */
	struct timex t = { .modes = ADJ_SETOFFSET | ADJ_NANO };

	t.time.tv_sec = ns / NS_PER_SEC;
	t.time.tv_usec = ns % NS_PER_SEC;
	if (t.time.tv_usec < 0) {
		t.time.tv_sec--;
		t.time.tv_usec += NS_PER_SEC;
	}
	return clock_adjtime(CLOCK_REALTIME, &t) < 0 ? sk_error_errno(err, errno, "cannot adjust the clock") : 0;
}

/* The host's random bytes count as full entropy: the guest has no better source this early. */
static int seed_random(const char *hex, struct sk_error *err)
{
	_cleanup_fd_ int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	/* struct rand_pool_info, whose last member is open-ended */
	struct {
		int entropy_count, buf_size;
		uint8_t bytes[SEED_MAX];
	} pool = { 0 };
	size_t n = strlen(hex) / 2, i;

	if (n > SEED_MAX)
		n = SEED_MAX;
	for (i = 0; i < n; i++) {
		unsigned v;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			return sk_error_set(err, EINVAL, "seed is not hexadecimal");
		pool.bytes[i] = (uint8_t)v;
	}
	pool.entropy_count = (int)(n * 8);
	pool.buf_size = (int)n;
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) < 0)
		return sk_error_errno(err, errno, "cannot seed the random number generator");
	explicit_bzero(&pool, sizeof(pool));
	return 0;
}

static int write_sysctl(const char *key, const char *value, struct sk_error *err)
{
	_cleanup_fd_ int fd = -1;
	char path[256], *p;

	if (strstr(key, "..") || strchr(key, '/') ||
	    snprintf(path, sizeof(path), "/proc/sys/%s", key) >= (int)sizeof(path))
		return sk_error_set(err, EINVAL, "invalid sysctl %s", key);
	for (p = path + strlen("/proc/sys/"); *p; p++)
		if (*p == '.')
			*p = '/';
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || sk_fs_write_all(fd, value, strlen(value)) < 0)
		return sk_error_errno(err, errno, "cannot set sysctl %s", key);
	return 0;
}

int sk_setup_sysctl(const json_t *sysctl, struct sk_error *err)
{
	json_t *value;
	const char *key;
	int r;

	json_object_foreach((json_t *)(uintptr_t)sysctl, key, value)
	{
		if (!json_is_string(value))
			return sk_error_set(err, EINVAL, "sysctl %s is not a string", key);
		r = write_sysctl(key, json_string_value(value), err);
		if (r < 0)
			return r;
	}
	return 0;
}

int sk_net_apply(const struct sk_agent *agent, const struct sk_network_spec *network, struct sk_error *err)
{
	const struct sk_tap_spec *tap = &network->tap;
	int r = tap->set ? sk_tap_start(agent->loop, &agent->uplink, &tap->token, tap->mac, err) : 0;

	if (r < 0)
		return r;
	if (!network->interfaces)
		return sk_net_setup(network->set ? network : NULL, err);
	r = sk_net_setup(NULL, err);
	if (r == 0)
		r = sk_net_interfaces(network, err);
	if (r == 0 && network->dns)
		sk_dns_start(&agent->uplink);
	return r;
}

int sk_setup(const struct sk_agent *agent, const struct sk_msg *request, struct sk_error *err)
{
	const char *hostname = request->setup.hostname;
	int r = 0;

	if (agent->test)
		return 0;
	if (request->setup.time.set)
		r = sk_setup_clock(&request->setup.time, err);
	if (r == 0 && request->setup.seed)
		r = seed_random(request->setup.seed, err);
	if (r == 0 && hostname && sethostname(hostname, strlen(hostname)) < 0)
		r = sk_error_errno(err, errno, "cannot set the host name");
	if (r == 0)
		r = sk_net_apply(agent, &request->setup.network, err);
	if (r == 0)
		sk_foreign_register();
	return r < 0 ? r : sk_setup_sysctl(request->setup.sysctl, err);
}
