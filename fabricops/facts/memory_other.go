//go:build !linux

package facts

// memoryFileSystem can be told on Linux only.
func memoryFileSystem(string) string { return "" }
