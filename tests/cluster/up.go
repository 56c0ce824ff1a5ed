// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"kubemote.io/tests/cluster/plane"
)

type upFlags struct {
	opts          plane.Options
	node          string
	runFor        time.Duration
	dieWithParent bool
}

func parseUp(args []string) (*upFlags, error) {
	u := &upFlags{}
	fs := flag.NewFlagSet("up", flag.ContinueOnError)
	dir := fs.String("dir", "kubemote-cluster", "folder for keys, kubeconfigs, store and logs; an earlier plane's are replaced")
	node := fs.String("node", "kubemote", "write a kubeconfig for the node of this name")
	port := fs.Int("port", 0, "API server's port, 0 = a free one")
	keys := fs.String("keys", string(plane.RSA2048), "rsa2048, rsa4096, p256 or p384")
	grace := fs.Duration("node-grace", 16*time.Second, "a node silent for so long becomes Unknown")
	scheduler := fs.Bool("scheduler", true, "start the scheduler as well")
	seconds := fs.Float64("for", 0, "end after so many seconds, counted from ready; 0 = run on")
	fs.BoolVar(&u.dieWithParent, "die-with-parent", false, "end when the parent process ends, or a pipe on standard input closes")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("up: unexpected argument %q", fs.Arg(0))
	}
	u.node = *node
	u.runFor = time.Duration(*seconds * float64(time.Second))
	u.opts = plane.Options{
		Dir:              *dir,
		Port:             *port,
		Keys:             plane.KeyType(*keys),
		NodeMonitorGrace: *grace,
		Scheduler:        *scheduler,
		Progress:         os.Stderr,
	}
	return u, nil
}

// up starts a plane and keeps it until told to end. The lines that other
// programs read go to standard output, the rest to standard error.
func up(args []string) int {
	u, err := parseUp(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubemote-cluster:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if u.dieWithParent {
		ctx = withParent(ctx)
	}
	if err := u.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kubemote-cluster:", err)
		return 1
	}
	return 0
}

func (u *upFlags) run(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	u.opts.Binary = self
	// The plane is stopped here, not by ctx, so that its end has happened when
	// this function returns.
	p, err := startUnlessDone(ctx, u.opts)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer p.Stop()
	if err := u.announce(p); err != nil {
		return err
	}
	return u.wait(ctx, p)
}

// startUnlessDone lets ctx end the start, but not the plane after it.
func startUnlessDone(ctx context.Context, opts plane.Options) (*plane.Plane, error) {
	starting, cancel := context.WithCancel(context.Background())
	unhook := context.AfterFunc(ctx, cancel)
	defer unhook()
	return plane.Start(starting, opts)
}

// announce prints the lines that scripts look for.
func (u *upFlags) announce(p *plane.Plane) error {
	admin, err := p.AdminKubeconfig(plane.KubeconfigOptions{Path: filepath.Join(p.Dir(), "admin.kubeconfig")})
	if err != nil {
		return err
	}
	node, err := p.NodeKubeconfig(u.node, plane.KubeconfigOptions{Path: filepath.Join(p.Dir(), "node.kubeconfig")})
	if err != nil {
		return err
	}
	fmt.Printf("server: %s\n", p.URL())
	fmt.Printf("kubeconfig: %s\n", admin)
	fmt.Printf("node kubeconfig: %s\n", node)
	return nil
}

func (u *upFlags) wait(ctx context.Context, p *plane.Plane) error {
	var over <-chan time.Time
	if u.runFor > 0 {
		over = time.After(u.runFor)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-over:
		return nil
	case err := <-p.Dead():
		return fmt.Errorf("%w\n%s", err, p.Tails(20))
	}
}

// withParent ends with the parent process, or when a pipe on standard input
// closes. Other kinds of input say nothing: a shell gives its background jobs
// /dev/null, which is at its end from the start.
func withParent(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		defer cancel()
		for os.Getppid() == parent && ctx.Err() == nil {
			time.Sleep(200 * time.Millisecond)
		}
	}()
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		go func() {
			defer cancel()
			io.Copy(io.Discard, os.Stdin)
		}()
	}
	return ctx
}
