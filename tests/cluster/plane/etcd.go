// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func loopbackURL(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// EtcdURL is etcd's client address; it asks for no credentials.
func (p *Plane) EtcdURL() string { return loopbackURL(p.etcdPort) }

func (p *Plane) etcdDir() string { return p.file("etcd") }

func (p *Plane) etcdMemberFlags() []string {
	peer := loopbackURL(p.peerPort)
	return []string{
		"--name=plane",
		"--data-dir=" + p.etcdDir(),
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=plane=" + peer,
	}
}

func (p *Plane) startEtcd(ctx context.Context) error {
	if p.etcd.running() {
		return nil
	}
	p.progress("starting etcd")
	args := append(p.etcdMemberFlags(),
		"--listen-peer-urls="+loopbackURL(p.peerPort),
		"--listen-client-urls="+p.EtcdURL(),
		"--advertise-client-urls="+p.EtcdURL(),
		// A test's store may be lost with the machine; waiting for the disk
		// would cost more than all the rest.
		"--unsafe-no-fsync=true",
		// As kubeadm sets it: bookmarks come from these notices.
		"--watch-progress-notify-interval=5s",
		"--log-level=warn",
	)
	c, err := p.spawn("etcd", nil, append(args, p.opts.EtcdArgs...)...)
	if err != nil {
		return err
	}
	p.etcd = c
	return p.waitFor(ctx, c, func(ctx context.Context) error {
		return getOK(ctx, http.DefaultClient, p.EtcdURL()+"/readyz")
	})
}

// StartEtcd starts etcd after StopEtcd, on the same store.
func (p *Plane) StartEtcd(ctx context.Context) error {
	p.steps.Lock()
	defer p.steps.Unlock()
	return p.startEtcd(ctx)
}

// StopEtcd ends etcd; the API server stays, and answers with errors.
func (p *Plane) StopEtcd() {
	p.steps.Lock()
	defer p.steps.Unlock()
	p.etcd.stop(10 * time.Second)
}

// EtcdClient returns a client of the store; the caller closes it.
func (p *Plane) EtcdClient() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{p.EtcdURL()},
		DialTimeout: 5 * time.Second,
		Logger:      zap.NewNop(),
	})
}

// SnapshotEtcd copies the running store to a file for RestoreEtcd.
func (p *Plane) SnapshotEtcd(ctx context.Context) (string, error) {
	client, err := p.EtcdClient()
	if err != nil {
		return "", err
	}
	defer client.Close()
	from, err := client.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	defer from.Close()
	name := p.nextFile("snapshot", ".db")
	to, err := os.Create(name)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return "", err
	}
	return name, to.Close()
}

// RestoreEtcd puts an older copy in the store's place, as an operator would:
// everything stops, the store is replaced, everything starts.
func (p *Plane) RestoreEtcd(ctx context.Context, snapshot string) error {
	return p.replaceStore(ctx, func() error {
		args := append([]string{"etcdutl", "snapshot", "restore", snapshot}, p.etcdMemberFlags()...)
		cmd := exec.CommandContext(ctx, p.opts.Binary, args...)
		cmd.Env = p.environment()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("plane: snapshot restore: %w\n%s", err, out)
		}
		return nil
	})
}

// WipeEtcd gives the API server an empty store. Service account tokens from
// before are invalid after it, and whatever the test had made is gone.
func (p *Plane) WipeEtcd(ctx context.Context) error {
	return p.replaceStore(ctx, func() error { return nil })
}

// replaceStore restarts the controller manager as well: its informers would
// believe in the old store for ever.
func (p *Plane) replaceStore(ctx context.Context, refill func() error) error {
	p.steps.Lock()
	defer p.steps.Unlock()
	p.controllers.stop(0)
	p.scheduling.stop(0)
	p.stopAPIServer(0)
	p.etcd.stop(10 * time.Second)
	if err := os.RemoveAll(p.etcdDir()); err != nil {
		return err
	}
	if err := refill(); err != nil {
		return err
	}
	if err := p.startEtcd(ctx); err != nil {
		return err
	}
	if err := p.startAPIServer(ctx); err != nil {
		return err
	}
	return p.startControllers(ctx)
}

// CompactEtcd forgets all history up to now and returns the revision. Reads
// and watches that the API server answers from its cache do not notice until
// it restarts.
func (p *Plane) CompactEtcd(ctx context.Context) (int64, error) {
	client, err := p.EtcdClient()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	now, err := client.Get(ctx, "any")
	if err != nil {
		return 0, err
	}
	rev := now.Header.Revision
	_, err = client.Compact(ctx, rev, clientv3.WithCompactPhysical())
	return rev, err
}
