// Command raftmig takes a Hyperledger Fabric ordering service from Kafka to
// Raft, and lets operators rehearse it. It holds no logic: each file wires one
// command to the room that does the work.
package main

import (
	"os"
	"path/filepath"
)

// version is set by the linker.
var version = "dev"

func main() {
	root := newRootCommand()
	// Called under the name of Fabric's binary, raftmig is that binary.
	if filepath.Base(os.Args[0]) == "orderer" {
		root.SetArgs(append([]string{"orderer"}, os.Args[1:]...))
	}
	os.Exit(execute(root))
}
