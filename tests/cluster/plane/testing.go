// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"context"
	"time"
)

// T is the part of testing.TB that StartT needs. Package testing itself would
// become a part of the program that links this package.
type T interface {
	Helper()
	Name() string
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// StartT starts a plane for one test: it ends with the test, and the tails of
// the logs are printed when the test fails.
func StartT(t T, opts Options) *Plane {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	p, err := Start(ctx, opts)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the plane of %s\n%s", t.Name(), p.Tails(30))
		}
		p.Stop()
	})
	t.Logf("plane ready after %.1f s", time.Since(p.began).Seconds())
	return p
}
