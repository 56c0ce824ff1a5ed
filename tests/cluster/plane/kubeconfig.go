// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// KubeconfigOptions is the shape of a kubeconfig. The zero value points at the
// API server on 127.0.0.1 and carries everything in itself.
type KubeconfigOptions struct {
	Path       string // empty: a new file in the plane's folder
	Server     string // empty: Plane.URL()
	CA         []byte // PEM, empty: the plane's CA
	ServerName string // tls-server-name
	Files      bool   // certificates, key and token in files beside it, not inside
	Token      string // instead of a client certificate
}

// identity is a user's credentials.
type identity struct {
	name  string
	pair  *keyPair
	token string
}

func (p *Plane) writeKubeconfig(id identity, o KubeconfigOptions) (string, error) {
	if o.Path == "" {
		o.Path = p.nextFile(strings.NewReplacer(":", "-", "/", "-").Replace(id.name), ".kubeconfig")
	}
	if o.Server == "" {
		o.Server = p.URL()
	}
	if o.CA == nil {
		o.CA = p.ca.certPEM
	}
	cluster := &clientcmdapi.Cluster{Server: o.Server, TLSServerName: o.ServerName, CertificateAuthorityData: o.CA}
	user := &clientcmdapi.AuthInfo{Token: id.token}
	if id.pair != nil {
		user.ClientCertificateData, user.ClientKeyData = id.pair.certPEM, id.pair.keyPEM
	}
	if o.Files {
		if err := moveToFiles(o.Path, cluster, user); err != nil {
			return "", err
		}
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["kubernetes"] = cluster
	config.AuthInfos[id.name] = user
	context := id.name + "@kubernetes"
	config.Contexts[context] = &clientcmdapi.Context{Cluster: "kubernetes", AuthInfo: id.name}
	config.CurrentContext = context
	return o.Path, clientcmd.WriteToFile(*config, o.Path)
}

// moveToFiles writes the credentials beside the kubeconfig and leaves names in
// it that are relative to its folder.
func moveToFiles(path string, cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) error {
	put := func(suffix string, data []byte, name *string) error {
		if len(data) == 0 {
			return nil
		}
		*name = filepath.Base(path) + suffix
		return os.WriteFile(path+suffix, data, 0o600)
	}
	if err := put(".ca.crt", cluster.CertificateAuthorityData, &cluster.CertificateAuthority); err != nil {
		return err
	}
	if err := put(".crt", user.ClientCertificateData, &user.ClientCertificate); err != nil {
		return err
	}
	if err := put(".key", user.ClientKeyData, &user.ClientKey); err != nil {
		return err
	}
	if err := put(".token", []byte(user.Token), &user.TokenFile); err != nil {
		return err
	}
	cluster.CertificateAuthorityData = nil
	user.ClientCertificateData, user.ClientKeyData, user.Token = nil, nil, ""
	return nil
}

// UserKubeconfig is for any user and groups, by client certificate or by
// o.Token.
func (p *Plane) UserKubeconfig(o KubeconfigOptions, user string, groups ...string) (string, error) {
	if o.Token != "" {
		return p.writeKubeconfig(identity{name: user, token: o.Token}, o)
	}
	pair, err := p.ca.clientCert(p.opts.Keys, user, groups...)
	if err != nil {
		return "", err
	}
	return p.writeKubeconfig(identity{name: user, pair: pair}, o)
}

// AdminKubeconfig has all rights, as kubeadm's admin.conf.
func (p *Plane) AdminKubeconfig(o KubeconfigOptions) (string, error) {
	return p.writeKubeconfig(identity{name: "kubernetes-admin", pair: p.adminPair}, o)
}

// NodeKubeconfig has the identity system:node:NAME.
func (p *Plane) NodeKubeconfig(name string, o KubeconfigOptions) (string, error) {
	return p.UserKubeconfig(o, "system:node:"+name, groupNodes)
}

// NodeToken is a bearer token for system:node:NAME; the name must stand in
// Options.TokenNodes. It stays the same for the life of the plane.
func (p *Plane) NodeToken(name string) string {
	mac := hmac.New(sha256.New, p.adminPair.keyPEM)
	mac.Write([]byte(name))
	return hex.EncodeToString(mac.Sum(nil))
}

// ServiceAccountKubeconfig carries a token of a service account, valid for a
// day, and makes the account and its namespace when they are missing.
func (p *Plane) ServiceAccountKubeconfig(ctx context.Context, namespace, name string, o KubeconfigOptions) (string, error) {
	token, err := p.ServiceAccountToken(ctx, namespace, name)
	if err != nil {
		return "", err
	}
	id := identity{name: "system:serviceaccount:" + namespace + ":" + name, token: token}
	return p.writeKubeconfig(id, o)
}

// ServiceAccountToken is the token alone.
func (p *Plane) ServiceAccountToken(ctx context.Context, namespace, name string) (string, error) {
	core := p.client.CoreV1()
	meta := metav1.ObjectMeta{Name: namespace}
	_, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: meta}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return "", err
	}
	meta = metav1.ObjectMeta{Name: name}
	_, err = core.ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return "", err
	}
	day := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day}}
	answer, err := core.ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return answer.Status.Token, nil
}

// componentKubeconfig is for the plane's own parts; see InternalName.
func (p *Plane) componentKubeconfig(component, user string) (string, error) {
	pair, err := p.ca.clientCert(P256, user)
	if err != nil {
		return "", err
	}
	return p.writeKubeconfig(identity{name: user, pair: pair}, KubeconfigOptions{
		Path:       p.file("pki", component+".kubeconfig"),
		ServerName: InternalName,
	})
}
