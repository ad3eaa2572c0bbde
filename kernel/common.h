/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What most files of the kernel include sooner or later. kernel/build compiles it once, instead of a
 * thousand times: half of a build is reading headers.
 */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/mm.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/interrupt.h>
#include <linux/uaccess.h>
#include <linux/blkdev.h>
#include <linux/skbuff.h>
#include <linux/netdevice.h>
#include <net/net_namespace.h>
#include <net/sock.h>
