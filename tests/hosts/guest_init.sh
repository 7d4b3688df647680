#!/bin/busybox sh
# Process 1 of a test guest: takes its addresses from the kernel command line, answers HTTP with its name and the
# client's address, and runs the commands that come in on a virtio channel (see guest.py).

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec >/dev/ttyS0 2>&1

echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad # addresses work at once
echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra  # and there are no others than these
while read -r module; do
    insmod "/modules/$module"
done </modules/order

# guest.name=web1 guest.addresses=A/LEN,A/LEN guest.gateways=A,A
for word in $(cat /proc/cmdline); do
    values=$(echo "${word#*=}" | tr , ' ')
    case $word in
        guest.name=*) name=$values ;;
        guest.addresses=*) addresses=$values ;;
        guest.gateways=*) gateways=$values ;;
    esac
done
hostname "$name"
ip link set lo up

# Gives an interface the guest's addresses: the one that is there at first, and any that is plugged in later.
cat >/bin/configure <<'CONFIGURE'
#!/bin/sh
until [ -e "/sys/class/net/$1" ]; do sleep 0.1; done
ip link set "$1" up
until [ "$(cat "/sys/class/net/$1/carrier")" = 1 ]; do sleep 0.1; done
for address in $addresses; do
    ip addr add "$address" dev "$1"
done
for gateway in $gateways; do
    ip route add "$gateway" dev "$1" # a gateway may be outside of all own subnets
    ip route add default via "$gateway" dev "$1"
done
CONFIGURE
chmod +x /bin/configure
export addresses gateways
configure eth0

mkdir -p /tmp /www/cgi-bin
cat >/www/cgi-bin/index.cgi <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
echo "$(hostname) $REMOTE_ADDR" | sed 's/\[\(::ffff:\)\?\(.*\)\]/\2/'
CGI
chmod +x /www/cgi-bin/index.cgi
httpd -h /www

# One request per line: an identifier, a limit in seconds and a command in base64.
# The answer: the identifier, the command's status and its output in base64.
exec 3<>"$(echo /dev/vport*p1)"
echo "guest $name is up"
while :; do
    while read -r id limit command; do
        rm -f /output # an earlier command may still write into it
        timeout "$limit" sh -c "$(echo "$command" | base64 -d)" >/output 2>&1 </dev/null
        echo "$id $? $(base64 /output | tr -d '\n')"
    done <&3 >&3
    sleep 0.5 # nobody is connected
done
