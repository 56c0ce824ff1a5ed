// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

func dialer(limit time.Duration) *net.Dialer { return &net.Dialer{Timeout: limit} }

// poll calls f until it returns nil, often at first.
func poll(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		once, done := context.WithTimeout(ctx, 5*time.Second)
		err := f(once)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %v)", ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// waitFor polls until a component answers, and gives up when its process ends.
// The error carries the end of its log, since the folder may be gone later.
func (p *Plane) waitFor(ctx context.Context, c *child, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := poll(ctx, p.opts.StartTimeout, f)
	if err == nil {
		return nil
	}
	return fmt.Errorf("plane: %s is not ready: %w\n%s", c.name, err, tail(p.LogFile(c.name), 20))
}

func getOK(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return nil
}
