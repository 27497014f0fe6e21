package configtxgen

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Size is a number of bytes, written as such or as "10 MB", "512k", "1 g".
type Size uint32

var sizePattern = regexp.MustCompile(`(?i)^([0-9]+)\s*([kmg])b?$`)

// UnmarshalText parses a size; k, m and g are powers of 1024.
func (s *Size) UnmarshalText(text []byte) error {
	t := strings.TrimSpace(string(text))
	shift := 0
	if m := sizePattern.FindStringSubmatch(t); m != nil {
		t = m[1]
		shift = map[string]int{"k": 10, "m": 20, "g": 30}[strings.ToLower(m[2])]
	}
	n, err := strconv.ParseUint(t, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a size such as 512 KB or 10 MB", text)
	}
	if n > math.MaxUint32>>shift {
		return fmt.Errorf("%q is above the largest size, 4 GB less one byte", text)
	}
	*s = Size(n << shift)
	return nil
}
