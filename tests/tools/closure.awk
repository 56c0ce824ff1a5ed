# SPDX-License-Identifier: Apache-2.0
# layers.txt -> one word a room, "json=json|base": the room and everything that it may use, directly or further down.
/^#/ || NF == 0 { next }
{
    name = $1
    sub(/:$/, "", name)
    if (name !~ /^agent\/[a-z]+$/) next
    sub(/^agent\//, "", name)
    order[++count] = name
    for (i = 2; i <= NF; i++) if ($i !~ /^</) uses[name] = uses[name] " " $i
}
function walk(room, parts, n, i) {
    if (room in seen) return
    seen[room] = 1
    list = list "|" room
    n = split(uses[room], parts, " ")
    for (i = 1; i <= n; i++) walk(parts[i])
}
END {
    for (k = 1; k <= count; k++) {
        delete seen
        list = ""
        walk(order[k])
        print order[k] "=" substr(list, 2)
    }
}
