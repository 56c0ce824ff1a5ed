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

Known limits, by design: memory does not grow with the cluster.

- Tables: columns are as wide as kubectl makes them while the rows fit CONFIG_KM_CLI_TABLE_BYTES (128 kB); beyond that the widths
  only grow, as in a watch.
- json and yaml: members are sorted within an object of up to CONFIG_KM_CLI_OBJECT_BYTES (256 kB); a larger object is printed in the
  order of the server, and as JSON within yaml.
- yaml: the same data always; the same bytes unless a string is longer than 16 kB, or has a byte order mark, U+2028 or control
  characters. kubectl prints nothing when a string of one object has control characters; kubemote writes them escaped.
- --sort-by: plain paths. Rows of tables are sorted while they fit CONFIG_KM_CLI_TABLE_BYTES; beyond that each such part is sorted by
  itself, and a warning says so. Of json, yaml, jsonpath and name all is sorted, or refused when it does not fit
  CONFIG_KM_CLI_SORT_BYTES (256 kB). What has equal keys stays in the server's order. Tables of several types or of several names are
  sorted as well; kubectl says that it finds no such field.
- -o jsonpath: names, [N], [*], range and quoted text; of a list .items may stand there once, because items are not kept. Anything
  else is refused with its place in the template.
- Writing commands print -o json, yaml, jsonpath and name. When one of several applied objects fails, kubectl prints none and kubemote
  those that were applied.
- --dry-run=client: create, label, annotate, delete and patch, as kubectl does. patch applies merge patches, and strategic ones
  without lists and directives, which alone need a kind's schema; it refuses the rest and JSON patches, since --dry-run=server knows
  better. apply is always server-side, where kubectl refuses it too.
- --insecure-skip-tls-verify, and the kubeconfig's field, do here what they do in kubectl: anyone in the path can pose as the server and
  reads your token and what you send. Name the certificate authority or --tls-server-name instead. The agent refuses the field.
- -v: lines of kubemote's own log; 6 tells each request.
- get -f FILE -w is refused: name the type.
- A list's item that is not there ({.items[0]} of none) is an error as in kubectl, without its dump of all objects. Elsewhere [N] beyond
  the end prints nothing.
- api-resources prints tables and names, config view json and yaml, events a table. kustomize folders (-k), apply --prune, create's
  commands for single kinds, and the flags of these are not there.
- A JSON manifest that has a member twice: kubectl sends the last; kubemote sends both, and the server names the field.
- A list whose continue token expired: kubectl fails; kubemote lists again as a whole when nothing was printed yet.
- Selectors are sent as they stand, as kubectl does: what is wrong with one, the server says.
- wait for a place: null counts as missing, for kubectl as a value. delete --cascade=true and =false give no warning that they are old.
- patch --dry-run=client takes every group below k8s.io for one of the server's own kinds. annotate KEY- --dry-run=client of an object
  without annotations prints none; kubectl prints an empty map.
- config view --flatten and --merge=false, get-clusters, get-users and the set commands are not there.
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
