package e2e

import (
	"testing"
	"golang.org/x/net/dns/dnsmessage"
	"k8s.io/component-helpers/node/topology"
	"kubemote.io/tests/cluster/plane"
	"kubemote.io/tests/cluster/proxy"
	"sigs.k8s.io/yaml"
)

var _ = topology.GetZoneKey
var _ dnsmessage.Parser
var _ plane.Options
var _ proxy.Proxy
var _ = yaml.Unmarshal

func TestX(t *testing.T) {}
