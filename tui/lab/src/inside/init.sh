#!/bin/busybox sh
# The first program of the guest. It stacks the layers that the host shares (9p, read-only) under
# a file system in memory, and makes that the root. Everything else is the agent's, in there.

B=/bin/busybox
# The host reads the console: it tells how far the boot came.
fail() { $B echo "lab: init: $*"; $B poweroff -f; }

$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
for module in $($B cat /modules/order); do
    $B insmod "/modules/$module" || fail "cannot load $module"
done

# Upper layers first, as the host names them: lab.layers=run:with:base
layers=
for word in $($B cat /proc/cmdline); do
    case $word in lab.layers=*) layers=${word#lab.layers=} ;; esac
done
[ -n "$layers" ] || fail "the kernel's command line names no layers"
lower=
for layer in $(IFS=:; $B echo $layers); do
    $B mkdir -p "/layer/$layer"
    $B mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 \
        "$layer" "/layer/$layer" || fail "cannot mount the layer $layer"
    lower=$lower${lower:+:}/layer/$layer
done
$B mount -t tmpfs -o size=75%,mode=755 memory /memory
$B mkdir /memory/upper /memory/work
$B mount -t overlay -o "lowerdir=$lower,upperdir=/memory/upper,workdir=/memory/work" root /root ||
    fail "cannot stack the layers"

for folder in proc sys dev; do $B mount -o move "/$folder" "/root/$folder"; done
exec $B switch_root /root /usr/lib/doorbell/agent
fail "cannot start the agent"
