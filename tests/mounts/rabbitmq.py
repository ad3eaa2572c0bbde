#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rabbitmq.py publish | consume N: durable queues, publisher confirms. publish prints "acked N" for what the broker has confirmed."""
import sys

import pika

connection = pika.BlockingConnection(pika.ConnectionParameters("localhost", heartbeat=0, blocked_connection_timeout=600))
channel = connection.channel()
QUEUES = {"classic": {}, "quorum": {"x-queue-type": "quorum"}}
for name, arguments in QUEUES.items():
    channel.queue_declare(name, durable=True, arguments=arguments)


def publish():
    channel.confirm_delivery()
    n = 0
    while True:
        n += 1
        for queue in QUEUES:
            channel.basic_publish("", queue, f"{n} ".encode() + b"x" * (n % 5000), pika.BasicProperties(delivery_mode=2), mandatory=True)
        print("acked", n, flush=True)


def consume(wanted):
    for queue in QUEUES:
        seen = set()
        for _, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=20):
            if body is None:
                break
            n = int(body.split()[0])
            assert len(body) == len(f"{n} ") + n % 5000, f"message {n} has {len(body)} bytes"
            seen.add(n)
            if len(seen) >= wanted and max(seen) >= wanted and set(range(1, wanted + 1)) <= seen:
                break
        channel.cancel()
        missing = set(range(1, wanted + 1)) - seen
        assert not missing, f"{queue}: {len(missing)} of {wanted} confirmed messages are missing, the first {min(missing)}"


if sys.argv[1] == "publish":
    publish()
else:
    consume(int(sys.argv[2]))
