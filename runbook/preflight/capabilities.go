package preflight

import (
	"slices"
	"strings"
)

// knowsMigration reports whether a list of capabilities contains V1_4_2 or a
// later one. Levels are named V1_1, V1_4_2, V2_0, V3_0.
func knowsMigration(capabilities []string) bool {
	return slices.ContainsFunc(capabilities, func(name string) bool {
		v, ok := parseVersion(strings.ReplaceAll(strings.TrimPrefix(name, "V"), "_", "."))
		return ok && !v.less(version{1, 4, 2})
	})
}

func level(capabilities []string) string {
	if len(capabilities) == 0 {
		return "none"
	}
	return strings.Join(capabilities, ", ")
}
