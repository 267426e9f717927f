#!/usr/bin/busybox sh
# Process 1 of the guest: loads the drivers, runs one command or one shell, tells the host how it
# ended. It speaks to the host through virtio ports, one a stream, so that no byte of the command's
# output is touched. On the port `control` it says one line at a time:
#
#   up                     user space runs
#   drivers ok | none      the drivers are loaded and every card has its device; or left out
#   drivers failed WHY     they are not
#   exit CODE              the command ended
#
# When the host closes `control`, the guest powers off.

L=/usr/lib/doorbell
. $L/settings
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:$L/applets
HOME=/root USER=root LOGNAME=root LANG=C.UTF-8
export PATH HOME USER LOGNAME LANG
[ -n "$LAB_GUEST" ] && export LAB_GUEST LAB_PEER

port() {
    for folder in /sys/class/virtio-ports/*; do
        if [ "$(cat "$folder/name")" = "$1" ]; then echo "/dev/${folder##*/}"; return; fi
    done
}

say() { echo "$*" >&9; }

mounts() {
    mkdir -p /dev/pts /dev/shm /run/doorbell
    mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
    mount -t tmpfs -o mode=1777 shm /dev/shm
    mount -t tmpfs -o mode=755 run /run && mkdir -p /run/doorbell /run/lock
    mount -t tmpfs -o mode=1777 tmp /tmp
    mount -t debugfs debug /sys/kernel/debug
    mount -t tracefs trace /sys/kernel/tracing
    ln -sf /proc/self/fd /dev/fd
    ln -sf /proc/self/fd/0 /dev/stdin
    ln -sf /proc/self/fd/1 /dev/stdout
    ln -sf /proc/self/fd/2 /dev/stderr
    if [ -n "$LAB_SHARE" ]; then
        mkdir -p /mnt/share
        mount -t 9p -o "trans=virtio,version=9p2000.L,$LAB_SHARE,cache=none,msize=524288" \
            share /mnt/share || echo "lab: agent: cannot mount /mnt/share"
    fi
} 2>/dev/null

# The other guest answers once its drivers are loaded, too: the commands begin together.
network() {
    [ -n "$LAB_ADDRESS" ] || return
    modprobe virtio_net
    ip address add "$LAB_ADDRESS/24" dev eth0 && ip link set eth0 up
    tries=0
    until ping -c 1 -W 1 "$LAB_PEER" >/dev/null 2>&1 || [ $tries -ge "$LAB_PATIENCE" ]; do
        tries=$((tries + 1))
        usleep 100000
    done
}

# Every card must get its RDMA device: the driver works in the background after modprobe returns.
drivers() {
    [ "$LAB_DRIVERS" = yes ] || { say drivers none; return 0; }
    for module in mlx5_core mlx5_ib ib_uverbs ib_umad rdma_cm rdma_ucm; do
        why=$(modprobe $module 2>&1) || { say "drivers failed modprobe $module: $why"; return 1; }
    done
    # The host says how many cards it gave; one that died before the boot is not on the bus.
    cards=$LAB_CARDS
    seen=$(cat /sys/bus/pci/devices/*/vendor | grep -c 0x15b3)
    if [ "$seen" -lt "$cards" ]; then
        say "drivers failed $seen of $cards cards are on the bus"
        return 1
    fi
    # modprobe returns when the driver has tried: a card that it has not taken, it will not take.
    taken=$(ls -d /sys/bus/pci/drivers/mlx5_core/0* 2>/dev/null | grep -c .)
    if [ "$taken" -lt "$cards" ]; then
        say "drivers failed mlx5_core took $taken of $cards cards"
        return 1
    fi
    tries=0
    while found=$(ls /sys/class/infiniband 2>/dev/null | grep -c .); [ "$found" -lt "$cards" ]; do
        tries=$((tries + 1))
        if [ $tries -gt $((LAB_PATIENCE * 10)) ]; then
            say "drivers failed $found of $cards cards came up in $LAB_PATIENCE s"
            return 1
        fi
        usleep 100000
    done
    say drivers ok
}

# The streams go through pipes: the command may open /dev/stdout anew, which a port forbids.
command_streams() {
    mkfifo /run/doorbell/out /run/doorbell/err
    cat /run/doorbell/out >"$(port out)" & out=$!
    cat /run/doorbell/err >"$(port err)" & err=$!
    input=/dev/null
    [ "$LAB_INPUT" = yes ] && input=$(port in)
    cd /root
    # Not busybox's shell, which prefers its own programs to the packages'. In a session of its
    # own: what the command sends to its process group reaches nobody else.
    setsid /usr/bin/bash $L/command <"$input" >/run/doorbell/out 2>/run/doorbell/err 9>&-
    code=$?
    # Whoever is left with a copy of the streams may keep them for a while, but not for ever.
    tries=0
    while [ $tries -lt 50 ] && { kill -0 $out || kill -0 $err; } 2>/dev/null; do
        tries=$((tries + 1))
        usleep 20000
    done
    say exit $code
}

shell() {
    export TERM="$LAB_TERM"
    cd /root
    # The first terminal that a session leader opens becomes its own, and a terminal that nobody
    # has open forgets its size.
    setsid sh -c "exec <>/dev/hvc0 >&0 2>&1; stty rows $LAB_ROWS cols $LAB_COLUMNS; exec bash --login" 9>&-
    say exit $?
}

mounts
exec 9<>"$(port control)"
say up
# The read ends when the host has gone.
{ cat <&9 >/dev/null; poweroff -f; } &
hostname "guest${LAB_GUEST:-0}"
ip link set lo up
if drivers; then
    network
    case $LAB_WHAT in
    command) command_streams ;;
    shell) shell ;;
    serve)
        telnetd -l /bin/bash
        while :; do sleep 3600; done
        ;;
    esac
else
    dmesg | tail -n 30
fi
poweroff -f
