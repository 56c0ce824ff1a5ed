// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// row is one line of a table: a number of each peer that has it.
type row struct {
	title    string
	decimals int
	value    func(figures) (float64, bool)
	// plain rows have no ratios: they are counts to look at.
	plain bool
}

func startRow(title string, decimals int, plain bool, of func(*startFigures) float64) row {
	return row{title: title, decimals: decimals, plain: plain, value: func(f figures) (float64, bool) {
		if f.Start == nil {
			return 0, false
		}
		v := of(f.Start)
		return v, v != 0
	}}
}

func steadyRow(title string, decimals int, plain bool, of func(*steadyFigures) float64) row {
	return row{title: title, decimals: decimals, plain: plain, value: func(f figures) (float64, bool) {
		return of(&f.Steady), true
	}}
}

func toldRow(title string, plain bool, of func(*steadyFigures) (float64, bool)) row {
	return row{title: title, plain: plain, value: func(f figures) (float64, bool) { return of(&f.Steady) }}
}

func tripRow(title string, decimals int, plain bool, of func(*tripFigures) float64) row {
	return row{title: title, decimals: decimals, plain: plain, value: func(f figures) (float64, bool) {
		if f.Trip == nil {
			return 0, false
		}
		return of(f.Trip), true
	}}
}

func pointed[T int64 | float64](p *T) (float64, bool) {
	if p == nil {
		return 0, false
	}
	return float64(*p), true
}

func tripRows() []row {
	return []row{
		tripRow("event to patch, median, ms", 2, false, func(t *tripFigures) float64 { return t.Median }),
		tripRow("event to patch, p99, ms", 2, false, func(t *tripFigures) float64 { return t.P99 }),
		tripRow("processor time a round trip, ms", 2, false, func(t *tripFigures) float64 { return t.CPU }),
		tripRow("  rounds", 0, true, func(t *tripFigures) float64 { return float64(t.Rounds) }),
	}
}

func rows() []row {
	return []row{
		steadyRow("resident, kB", 0, false, func(s *steadyFigures) float64 { return float64(s.Memory.Rss) }),
		steadyRow("  of it anonymous, kB", 0, false, func(s *steadyFigures) float64 { return float64(s.Memory.Anonymous) }),
		steadyRow("  proportional (Pss), kB", 0, false, func(s *steadyFigures) float64 { return float64(s.Memory.Pss) }),
		steadyRow("resident at most, kB", 0, false, func(s *steadyFigures) float64 { return float64(s.Memory.Peak) }),
		steadyRow("threads", 0, true, func(s *steadyFigures) float64 { return float64(s.Memory.Threads) }),
		startRow("exec to first request, ms", 1, false, func(s *startFigures) float64 { return s.FirstRequest }),
		startRow("exec to Ready accepted, ms", 1, false, func(s *startFigures) float64 { return s.Ready }),
		startRow("  fastest, ms", 1, false, func(s *startFigures) float64 { return slices.Min(append(s.ReadyAll, math.Inf(1))) }),
		startRow("  slowest, ms", 1, false, func(s *startFigures) float64 { return slices.Max(append(s.ReadyAll, 0)) }),
		startRow("  of it the server's write, ms", 1, true, func(s *startFigures) float64 { return s.ServerReady }),
		startRow("  requests until then", 0, true, func(s *startFigures) float64 { return float64(s.RequestsReady) }),
		startRow("processor time until then, ms", 1, false, func(s *startFigures) float64 { return s.CPU }),
		steadyRow("processor time a minute, ms", 2, false, func(s *steadyFigures) float64 { return s.CPUPerMinute }),
		toldRow("heap calls a minute", true, func(s *steadyFigures) (float64, bool) { return pointed(s.HeapPerMinute) }),
		toldRow("TLS arena at most, bytes", false, func(s *steadyFigures) (float64, bool) { return pointed(s.Told.ArenaBytes) }),
		toldRow("TLS record slots at most, bytes", false, func(s *steadyFigures) (float64, bool) { return pointed(s.Told.SlotBytes) }),
		steadyRow("connections open", 0, true, func(s *steadyFigures) float64 { return float64(s.Wire.Open) }),
		steadyRow("handshakes full", 0, true, func(s *steadyFigures) float64 { return float64(s.Wire.Full) }),
		steadyRow("handshakes resumed", 0, true, func(s *steadyFigures) float64 { return float64(s.Wire.Resumed) }),
		steadyRow("sent a minute, bytes", 0, false, func(s *steadyFigures) float64 { return s.SentPerMinute }),
		steadyRow("received a minute, bytes", 0, false, func(s *steadyFigures) float64 { return s.ReceivePerMinute }),
	}
}

func printResults(out io.Writer, r *results, peers []peer) {
	m := &r.Machine
	fmt.Fprintf(out, "%s, %d cores, %d MB, %s; load %.2f before, %.2f after\n",
		m.CPU, m.Cores, m.MemoryKB/1024, m.Kernel, m.LoadBefore, m.LoadAfter)
	if busy := math.Max(m.LoadBefore, m.LoadAfter-1); busy > 0.5 {
		fmt.Fprintln(out, "This machine had other work: times are for orientation only.")
	}
	if m.PagesOut {
		fmt.Fprintln(out, "This kernel takes pages from idle programs: resident sets read low, the highest ones do not.")
	}
	if r.Plan.Quick {
		fmt.Fprintln(out, "Quick run: few starts, no steady state.")
	}
	if len(r.Skipped) > 0 {
		fmt.Fprintf(out, "Skipped, not built: %s\n", strings.Join(r.Skipped, ", "))
	}
	if r.Plan.TripOnly {
		kind := planeKinds[0]
		fmt.Fprintf(out, "\n%s (times %s)\n", kind.title, agentName)
		printPlane(out, tripRows(), r.Planes[string(kind.keys)], kind.choose(peers))
		return
	}
	printSizes(out, r)
	for _, kind := range planeKinds {
		fmt.Fprintf(out, "\n%s; medians of %d starts, %d s after Ready, over %d s (times %s)\n",
			kind.title, r.Plan.Starts, r.Plan.SettleSeconds, r.Plan.WindowSeconds, agentName)
		printPlane(out, append(rows(), tripRows()...), r.Planes[string(kind.keys)], kind.choose(peers))
	}
}

func printSizes(out io.Writer, r *results) {
	fmt.Fprintln(out, "\nStripped programs, bytes")
	var table [][]string
	for _, board := range []string{"linux", "arm64", "armv7"} {
		programs := r.Sizes[board]
		for _, p := range allPeers("") {
			if size, found := programs[p.name]; found {
				table = append(table, []string{board + " " + p.name,
					withRatio(float64(size), 0, float64(programs[agentName]), p.name == agentName)})
			}
		}
	}
	printAligned(out, table)
}

func printPlane(out io.Writer, rows []row, all map[string]figures, peers []peer) {
	head := []string{""}
	for _, p := range peers {
		head = append(head, p.name)
	}
	table := [][]string{head}
	for _, r := range rows {
		line, some := []string{r.title}, false
		base, _ := r.value(all[agentName])
		for _, p := range peers {
			v, known := r.value(all[p.name])
			some = some || known
			if !known {
				line = append(line, "-")
				continue
			}
			line = append(line, withRatio(v, r.decimals, base, r.plain || p.name == agentName))
		}
		if some {
			table = append(table, line)
		}
	}
	printAligned(out, table)
}

// withRatio is a number, and how many times the agent's it is.
func withRatio(value float64, decimals int, base float64, plain bool) string {
	text := grouped(value, decimals)
	if plain || base == 0 {
		return text
	}
	ratio := value / base
	if ratio >= 10 {
		return fmt.Sprintf("%s (%.0fx)", text, ratio)
	}
	return fmt.Sprintf("%s (%.2fx)", text, ratio)
}

// grouped puts commas between thousands.
func grouped(value float64, decimals int) string {
	whole, rest, _ := strings.Cut(fmt.Sprintf("%.*f", decimals, value), ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		return whole + "." + rest
	}
	return whole
}

func printAligned(out io.Writer, table [][]string) {
	var widths []int
	for _, line := range table {
		for i, cell := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range table {
		for i, cell := range line {
			if i == 0 {
				fmt.Fprintf(out, "  %-*s", widths[i], cell)
			} else {
				fmt.Fprintf(out, "  %*s", widths[i], cell)
			}
		}
		fmt.Fprintln(out)
	}
}
