module kubemote.io/kubemote/tests/soak/server

go 1.24
