// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// page collects what was compared.
type page struct {
	mu       sync.Mutex
	sections []string
	rows     map[string][]string
}

var report = page{rows: map[string][]string{}}

func (p *page) add(section string, c *command) {
	verdict := "same"
	switch {
	case c.differs != "":
		verdict = c.differs
	case c.loose:
		verdict = "same data"
	}
	p.row(section, c.name(), verdict)
}

func (p *page) row(section, command, verdict string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rows[section] == nil {
		p.sections = append(p.sections, section)
	}
	clean := strings.NewReplacer("|", "\\|", "\n", " ")
	p.rows[section] = append(p.rows[section], fmt.Sprintf("| `%s` | %s |", clean.Replace(command), clean.Replace(verdict)))
}

const preface = `# The command line beside kubectl

Written by ` + "`make e2e`" + ` (tests/e2e/kubectl): each command below was run as kubemote and as kubectl of the control plane
program. Both got their answers from one recorded exchange. "same" means: standard output, standard error and exit code are
equal byte for byte (but for the program's own name in messages and examples).

The commands are a choice of Kconfig, KM_CLI; board linux-cli has them.

Known limits, by design: memory does not grow with the cluster.

- Tables: columns are as wide as kubectl makes them while the rows fit CONFIG_KM_CLI_TABLE_BYTES (128 kB); beyond that the widths
  only grow, as in a watch.
- json and yaml: members are sorted within an object of up to CONFIG_KM_CLI_OBJECT_BYTES (256 kB); a larger object is printed in the
  order of the server, and as JSON within yaml.
- yaml: the same data always; the same bytes unless a string is longer than 16 kB, or has a byte order mark, U+2028 or control
  characters. kubectl prints nothing when a string of one object has control characters; kubemote writes them escaped.
- A list whose continue token expired: kubectl fails; kubemote lists again as a whole when nothing was printed yet.
- Words of --help are kubemote's own.
`

func (p *page) write(path string) error {
	var out strings.Builder
	out.WriteString(preface)
	for _, section := range p.sections {
		fmt.Fprintf(&out, "\n## %s\n\n| command | |\n|---|---|\n%s\n", section, strings.Join(p.rows[section], "\n"))
	}
	return os.WriteFile(path, []byte(out.String()), 0o644)
}
