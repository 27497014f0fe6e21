package strictyaml

import (
	"regexp"
	"strings"
)

var (
	anchorPattern = regexp.MustCompile(`(?:^|[\s\[{,:])&([^\s\[\]{},]+)`)
	aliasPattern  = regexp.MustCompile(`(?:^|[\s\[{,:])\*([^\s\[\]{},]+)`)
)

// section is a top-level key with the lines below it.
type section struct {
	first, last int // line indexes, last exclusive
	anchors     []string
	aliases     []string
}

// anchorsFirst returns data with its top-level sections reordered so that
// anchors stand before their aliases, and for each line of the result its line
// number in data. ok is false if there is no such order.
func anchorsFirst(data []byte) (sorted []byte, lines []int, ok bool) {
	text := strings.Split(string(data), "\n")
	sections := split(text)
	if len(sections) == 0 {
		return nil, nil, false
	}
	home := map[string]int{}
	for i, s := range sections {
		for _, a := range s.anchors {
			if _, found := home[a]; !found {
				home[a] = i
			}
		}
	}
	var out strings.Builder
	emit := func(first, last int) {
		for i := first; i < last; i++ {
			out.WriteString(strings.TrimSuffix(text[i], "\n"))
			out.WriteByte('\n')
			lines = append(lines, i+1)
		}
	}
	const entered, done = 1, 2
	state := make([]int, len(sections))
	var visit func(i int) bool
	visit = func(i int) bool {
		switch state[i] {
		case entered:
			return false
		case done:
			return true
		}
		state[i] = entered
		for _, a := range sections[i].aliases {
			if at, found := home[a]; found && at != i && !visit(at) {
				return false
			}
		}
		state[i] = done
		emit(sections[i].first, sections[i].last)
		return true
	}
	emit(0, sections[0].first)
	for i := range sections {
		if !visit(i) {
			return nil, nil, false
		}
	}
	return []byte(out.String()), lines, true
}

func split(text []string) []section {
	var sections []section
	for i, line := range text {
		if line == "" || strings.ContainsAny(line[:1], " \t\r#-%}]") {
			continue
		}
		if n := len(sections); n > 0 {
			sections[n-1].last = i
		}
		sections = append(sections, section{first: i, last: len(text)})
	}
	for i := range sections {
		s := &sections[i]
		for _, line := range text[s.first:s.last] {
			line = withoutComment(line)
			for _, m := range anchorPattern.FindAllStringSubmatch(line, -1) {
				s.anchors = append(s.anchors, m[1])
			}
			for _, m := range aliasPattern.FindAllStringSubmatch(line, -1) {
				s.aliases = append(s.aliases, m[1])
			}
		}
	}
	return sections
}

func withoutComment(line string) string {
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return ""
	}
	if i := strings.Index(line, " #"); i >= 0 {
		return line[:i]
	}
	return line
}
