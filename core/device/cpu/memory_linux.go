package cpu

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// AvailableMemory is how many bytes a program may still take here: what the kernel calls available, and no more than a
// container's limit leaves. 0 is unknown.
func AvailableMemory() int64 {
	available := meminfo("MemAvailable:")
	for _, g := range []struct{ limit, used string }{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
	} {
		limit, used := number(g.limit), number(g.used)
		if limit > 0 && limit < 1<<60 && limit > used {
			available = min(available, limit-used)
		}
	}
	return available
}

func meminfo(name string) int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) > 1 && fields[0] == name {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// number reads a file with one number in it; 0 when there is none.
func number(path string) int64 {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	return n
}
