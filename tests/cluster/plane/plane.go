// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"kubemote.io/tests/cluster/proxy"
)

// Plane is a running control plane. Its methods may be called from any
// goroutine, the ones that start and stop components one after another.
type Plane struct {
	opts      Options
	dir       string
	ownDir    bool
	began     time.Time
	ca        *keyPair
	adminPair *keyPair
	admin     *rest.Config
	client    kubernetes.Interface

	port, etcdPort, peerPort int
	v6                       *proxy.Proxy // ::1 to 127.0.0.1, nil without IPv6

	// steps serialises starts and stops of components.
	steps                                    sync.Mutex
	etcd, apiServer, controllers, scheduling *child

	stopOnce sync.Once

	mu        sync.Mutex
	children  map[*child]struct{}
	stopped   bool
	files     int // kubeconfigs and snapshots made so far, for their names
	dead      chan error
	stopAfter func() bool
}

var errStopped = errors.New("plane: stopped")

// Start brings a plane up and returns when it answers. The plane is stopped
// when ctx ends, if not before.
func Start(ctx context.Context, opts Options) (*Plane, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	if opts.Binary == "" {
		file, err := Binary()
		if err != nil {
			return nil, err
		}
		opts.Binary = file
	}
	p := &Plane{
		opts:     opts,
		began:    time.Now(),
		children: map[*child]struct{}{},
		dead:     make(chan error, 8),
	}
	if err := p.bringUp(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	p.mu.Lock()
	p.stopAfter = context.AfterFunc(ctx, p.Stop)
	p.mu.Unlock()
	return p, nil
}

func (p *Plane) bringUp(ctx context.Context) error {
	if err := p.makeDir(); err != nil {
		return err
	}
	if err := p.takePorts(); err != nil {
		return err
	}
	p.progress("making keys and certificates (%s)", p.opts.Keys)
	if err := p.makePKI(); err != nil {
		return err
	}
	if err := p.makeClient(); err != nil {
		return err
	}
	p.steps.Lock()
	defer p.steps.Unlock()
	for _, step := range []func(context.Context) error{
		p.startEtcd, p.startAPIServer, p.startControllers,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	p.progress("ready")
	return nil
}

func (p *Plane) makeDir() error {
	if p.opts.Dir == "" {
		dir, err := os.MkdirTemp("", "kubemote-plane-")
		p.dir, p.ownDir = dir, true
		return p.makeSubdirs(err)
	}
	dir, err := filepath.Abs(p.opts.Dir)
	if err != nil {
		return err
	}
	p.dir = dir
	for _, name := range []string{"pki", "etcd", "logs"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return p.makeSubdirs(nil)
}

func (p *Plane) makeSubdirs(err error) error {
	for _, name := range []string{"pki", "logs"} {
		if err == nil {
			err = os.MkdirAll(filepath.Join(p.dir, name), 0o700)
		}
	}
	return err
}

func (p *Plane) takePorts() error {
	n := 3
	if p.opts.Port != 0 {
		n = 2
	}
	ports, err := freePorts(n)
	if err != nil {
		return err
	}
	p.etcdPort, p.peerPort = ports[0], ports[1]
	p.port = p.opts.Port
	if p.port == 0 {
		p.port = ports[2]
	}
	return nil
}

func (p *Plane) progress(format string, args ...any) {
	fmt.Fprintf(p.opts.Progress, "%5.1f s  %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}

// Stop ends all that the plane started and removes a folder that it made.
// Nothing is saved, so nobody needs a polite end. It may be called again.
func (p *Plane) Stop() { p.stopOnce.Do(p.stop) }

func (p *Plane) stop() {
	p.mu.Lock()
	p.stopped = true
	list := make([]*child, 0, len(p.children))
	for c := range p.children {
		list = append(list, c)
	}
	stopAfter, v6 := p.stopAfter, p.v6
	p.mu.Unlock()

	if stopAfter != nil {
		stopAfter()
	}
	for _, c := range list {
		c.stop(0)
	}
	if v6 != nil {
		v6.Close()
	}
	releasePorts([]int{p.port, p.etcdPort, p.peerPort})
	if p.ownDir {
		os.RemoveAll(p.dir)
	}
}

// Dead delivers an error when a component ends by itself.
func (p *Plane) Dead() <-chan error { return p.dead }

// spawn starts a component of the program.
func (p *Plane) spawn(name string, env []string, args ...string) (*child, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, errStopped
	}
	c, err := startChild(name, p.opts.Binary, p.LogFile(name), append(p.environment(), env...),
		append([]string{name}, args...))
	if err != nil {
		return nil, err
	}
	p.children[c] = struct{}{}
	go c.watch(p.reportDead)
	return c, nil
}

func (p *Plane) reportDead(err error) {
	select {
	case p.dead <- err:
	default:
	}
}

// environment leaves the caller's KUBECONFIG and proxy settings out.
func (p *Plane) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TMPDIR=" + os.TempDir()}
}

// Dir is the plane's folder: pki/, etcd/, logs/, kubeconfigs, snapshots.
func (p *Plane) Dir() string { return p.dir }

func (p *Plane) file(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

// nextFile is a path in the plane's folder that was not given out before.
func (p *Plane) nextFile(prefix, suffix string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files++
	return p.file(fmt.Sprintf("%s-%d%s", prefix, p.files, suffix))
}

// Components are the names of the processes and of their logs.
var Components = []string{"etcd", "apiserver", "controller-manager", "scheduler"}

// LogFile is where a component's output goes.
func (p *Plane) LogFile(component string) string {
	return p.file("logs", component+".log")
}

// Tails returns the last lines of each log.
func (p *Plane) Tails(lines int) string {
	var all string
	for _, name := range Components {
		if _, err := os.Stat(p.LogFile(name)); err != nil {
			continue
		}
		all += fmt.Sprintf("--- %s\n%s\n", name, tail(p.LogFile(name), lines))
	}
	return all
}

// PIDs returns the running components' process numbers by name.
func (p *Plane) PIDs() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	pids := map[string]int{}
	for c := range p.children {
		if c.running() {
			pids[c.name] = c.cmd.Process.Pid
		}
	}
	return pids
}
