// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const groupBootstrap = "system:bootstrappers:kubemote"

// BootstrapToken makes a new bootstrap token ("id.secret") whose holder may
// ask for a node's certificate and gets it without a person's approval, as
// kubeadm's join does.
func (p *Plane) BootstrapToken(ctx context.Context) (string, error) {
	if err := p.allowBootstrap(ctx); err != nil {
		return "", err
	}
	// Text is base32 in capitals; tokens know small letters and digits only.
	text := strings.ToLower(rand.Text())
	id, secret := text[:6], text[6:22]
	_, err := p.client.CoreV1().Secrets("kube-system").Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-" + id},
		Type:       corev1.SecretTypeBootstrapToken,
		StringData: map[string]string{
			"token-id":                       id,
			"token-secret":                   secret,
			"usage-bootstrap-authentication": "true",
			"usage-bootstrap-signing":        "true",
			"auth-extra-groups":              groupBootstrap,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return id + "." + secret, nil
}

// BootstrapKubeconfig carries a new bootstrap token.
func (p *Plane) BootstrapKubeconfig(ctx context.Context, o KubeconfigOptions) (string, error) {
	token, err := p.BootstrapToken(ctx)
	if err != nil {
		return "", err
	}
	return p.writeKubeconfig(identity{name: "bootstrap", token: token}, o)
}

// allowBootstrap binds the groups to the roles that Kubernetes has for it.
func (p *Plane) allowBootstrap(ctx context.Context) error {
	for role, group := range map[string]string{
		"system:node-bootstrapper": groupBootstrap,
		"system:certificates.k8s.io:certificatesigningrequests:nodeclient":     groupBootstrap,
		"system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": groupNodes,
	} {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("kubemote-test:%s", role)},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}},
		}
		_, err := p.client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}
