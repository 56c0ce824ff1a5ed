package main

import _ "kubemote.io/tests/cluster/plane"

func main() {}
