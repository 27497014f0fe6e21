// Package portrange finds TCP ports for the nodes of a rehearsal network.
package portrange

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
)

// Bounds of the search. The system hands out ports from the ephemeral range to
// outgoing connections, so that a port in it may be gone when a node restarts.
const (
	lowest             = 10000
	defaultEphemeral   = 32768
	attempts           = 400
	ephemeralRangeFile = "/proc/sys/net/ipv4/ip_local_port_range"
)

// Find returns n consecutive ports on host that nothing listens on, below the
// ephemeral range. They are free now; nothing keeps them free.
func Find(host string, n int) ([]int, error) {
	high := ephemeral() - n
	if high <= lowest {
		return nil, fmt.Errorf("no room for %d ports between %d and the ephemeral range", n, lowest)
	}
	for range attempts {
		first := lowest + rand.IntN((high-lowest)/10)*10
		if Check(host, first, n) == nil {
			return row(first, n), nil
		}
	}
	return nil, fmt.Errorf("found no row of %d free ports between %d and %d", n, lowest, high)
}

func row(first, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = first + i
	}
	return all
}

// Check returns an error that names the first of n ports from first on that
// cannot be listened on.
func Check(host string, first, n int) error {
	for _, p := range row(first, n) {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p)))
		if err != nil {
			return fmt.Errorf("port %d is not free: %w", p, err)
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// ephemeral is the first port of the ephemeral range.
func ephemeral() int {
	data, err := os.ReadFile(ephemeralRangeFile)
	if err != nil {
		return defaultEphemeral
	}
	fields := strings.Fields(string(data))
	if len(fields) == 0 {
		return defaultEphemeral
	}
	n, err := strconv.Atoi(fields[0])
	if err != nil || n < lowest+1000 {
		return defaultEphemeral
	}
	return n
}
