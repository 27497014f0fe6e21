package node

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the processes that are controlled.
func TestMain(m *testing.M) {
	switch os.Getenv("NODE_TEST_ROLE") {
	case "":
		os.Exit(m.Run())
	case "server":
		serve()
	case "dies":
		fmt.Println("cannot open the ledger")
		os.Exit(3)
	case "starter": // starts a server through a controller and ends
		startAndLeave()
	}
}

// serve listens, says that it is ready and ends on SIGTERM, unless it is told
// to be stubborn or silent.
func serve() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	l, err := net.Listen("tcp", os.Getenv("NODE_TEST_ADDR"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	if os.Getenv("NODE_TEST_SILENT") == "" {
		fmt.Println("INFO " + OrdererReady)
	}
	for range stop {
		if os.Getenv("NODE_TEST_STUBBORN") == "" {
			break
		}
	}
	_ = l.Close()
	fmt.Println("bye")
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
