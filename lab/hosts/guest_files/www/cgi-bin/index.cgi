#!/bin/sh
# What a guest answers: its name and the client's address.

read -r name </proc/sys/kernel/hostname
client=${REMOTE_ADDR#[} # [2001:db8::1] or [::ffff:192.0.2.1]
client=${client%]}
printf 'Content-Type: text/plain\r\n\r\n%s %s\n' "$name" "${client#::ffff:}"
