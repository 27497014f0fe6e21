package facts

import "syscall"

// memoryFileSystem names the file system of a folder if it lies in memory, ""
// otherwise.
func memoryFileSystem(dir string) string {
	const tmpfs, ramfs = 0x01021994, 0x858458f6
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return ""
	}
	switch uint32(st.Type) { // its type differs between architectures
	case tmpfs:
		return "tmpfs"
	case ramfs:
		return "ramfs"
	default:
		return ""
	}
}
