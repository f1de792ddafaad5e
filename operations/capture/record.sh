# Runs on a host, given to sh by `fab capture`: SECONDS BYTES INTERFACE FILTER. It prints what tcpdump says in lines that
# begin with #, then the packets (pcap) in base64, then #end. The file has no name once it is open, so nothing is left of
# it however this ends; timeout(1) ends tcpdump also where nobody is left to do it.
# What is in the packets is encrypted: 512 bytes of each are enough. The kernel keeps a slot of that size for each packet
# that tcpdump has not written yet, 16 MiB of them; with whole packets there would be room for a few only.
set -u
umask 077
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
seconds=$1 bytes=$2 interface=$3 filter=$4
file=$(mktemp) || exit 1
exec 3<>"$file" || exit 1
rm -f "$file"
exec 5>&1
{
  timeout --foreground --kill-after=5 "$seconds" \
    tcpdump --immediate-mode -s 512 -B 16384 -U -n -p -i "$interface" -w - "$filter" 2>&1 1>&4 |
    sed -u 's/^/# /' >&5
} 4>&1 | head -c "$bytes" >&3
base64 </proc/self/fd/3
echo '#end'
