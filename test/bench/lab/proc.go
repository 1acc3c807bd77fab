package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const clockTick = 10 * time.Millisecond // USER_HZ is 100 on every Linux

// stat is the fields of proc_pid_stat(5) from the third on.
func stat(pid int) ([][]byte, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	_, rest, _ := bytes.Cut(text, []byte(") ")) // the name before it may hold spaces
	fields := bytes.Fields(rest)
	if len(fields) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields, nil
}

// CPU is the user and system time of processes so far.
func CPU(pids ...int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		fields, err := stat(pid)
		if err != nil {
			return 0, err
		}
		for _, f := range fields[11:13] {
			ticks, err := strconv.Atoi(string(f))
			if err != nil {
				return 0, err
			}
			sum += time.Duration(ticks) * clockTick
		}
	}
	return sum, nil
}

// FamilyCPU is the user and system time so far of a process, of its children that ended and were waited for, and of those that run.
func FamilyCPU(pid int) (time.Duration, error) {
	pids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, path := range pids {
		p, _ := strconv.Atoi(filepath.Base(path))
		fields, err := stat(p)
		if err != nil {
			continue // it ended
		}
		if parent, _ := strconv.Atoi(string(fields[1])); p != pid && parent != pid {
			continue
		}
		for _, f := range fields[11:15] {
			ticks, err := strconv.Atoi(string(f))
			if err != nil {
				return 0, err
			}
			total += time.Duration(ticks) * clockTick
		}
	}
	return total, nil
}

// PeakMemory is the largest resident set of each process, summed: VmHWM of proc_pid_status(5). Pages that several share count for
// each of them.
func PeakMemory(pids ...int) (int64, error) { return sum("status", "VmHWM:", pids) }

// Memory is the resident set of processes at present.
func Memory(pids ...int) (int64, error) { return sum("status", "VmRSS:", pids) }

// ProportionalMemory is the resident set where a page that several share counts once in all: Pss of proc_pid_smaps(5).
func ProportionalMemory(pids ...int) (int64, error) { return sum("smaps_rollup", "Pss:", pids) }

// sum adds up a line that is in kB.
func sum(file, key string, pids []int) (int64, error) {
	var total int64
	for _, pid := range pids {
		path := fmt.Sprintf("/proc/%d/%s", pid, file)
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		found := false
		for line := range bytes.Lines(text) {
			if value, ok := bytes.CutPrefix(line, []byte(key)); ok {
				kib, err := strconv.ParseInt(string(bytes.Fields(value)[0]), 10, 64)
				if err != nil {
					return 0, err
				}
				total += kib << 10
				found = true
			}
		}
		if !found {
			return 0, fmt.Errorf("%s has no %s", path, key)
		}
	}
	return total, nil
}

// Descriptors is how many files a process has open.
func Descriptors(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries), err
}

// Threads is how many threads a process has.
func Threads(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return len(entries), err
}
