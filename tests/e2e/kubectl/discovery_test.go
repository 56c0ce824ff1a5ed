// SPDX-License-Identifier: Apache-2.0

package kubectl

import "testing"

const ownVersion = "the client's version is kubemote's own, without kustomize"

func TestDiscoveryCommands(t *testing.T) {
	each(t, "api-resources, api-versions, version", []command{
		{args: "api-resources"},
		{args: "api-resources -o wide"},
		{args: "api-resources -o name"},
		{args: "api-resources --no-headers"},
		{args: "api-resources --namespaced"},
		{args: "api-resources --namespaced=false"},
		{args: "api-resources --namespaced=F -o name"},
		{args: "api-resources --namespaced=maybe"},
		{args: "api-resources --verbs=list,create"},
		{args: "api-resources --verbs="},
		{args: "api-resources --verbs=nosuch"},
		{args: "api-resources --categories=all"},
		{args: "api-resources --api-group=apps"},
		{args: "api-resources --api-group=nosuch"},
		{args: "api-resources --sort-by=name"},
		{args: "api-resources --sort-by=kind -o wide"},
		{args: "api-resources --sort-by=age"},
		{args: "api-resources pods nodes"},
		{args: "api-versions"},
		{args: "api-versions extra"},
		{args: "version", differs: ownVersion},
		{args: "version --client", differs: ownVersion},
		{args: "version -o json", differs: ownVersion},
		{args: "version -o yaml", differs: ownVersion},
		{args: "version -o wide"},
		{args: "version extra"},
	})
}
