package host

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// unlimited is what version 1 has for no memory limit, or more: it rounds down
// to pages of any size.
const unlimited = math.MaxInt64 >> 20 << 20

// groupFile reads a small file of a group; false when the group has no such
// file, as the topmost one and those without the controller.
func groupFile(dir, name string) (text string, ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	return strings.TrimSpace(string(b)), err == nil, err
}

// groupNumber reads a file with one number; false when there is no such file,
// or the number stands for none.
func groupNumber(dir, name string) (n float64, ok bool, err error) {
	text, ok, err := groupFile(dir, name)
	if err != nil || !ok || text == "max" || text == "-1" {
		return 0, false, err
	}
	u, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, false, absurdFile(dir, name, text)
	}
	return float64(u), u < unlimited, nil
}

// groupStat reads some of a file's "key number" lines; false when there is no
// such file, an error when one of the keys is missing.
func groupStat(dir, name string, keys ...string) (values []float64, ok bool, err error) {
	text, ok, err := groupFile(dir, name)
	if err != nil || !ok {
		return nil, false, err
	}
	found := make(map[string]string)
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[key] = value
	}
	for _, key := range keys {
		u, err := strconv.ParseUint(found[key], 10, 64)
		if err != nil {
			return nil, false, absurdFile(dir, name, key+" "+found[key])
		}
		values = append(values, float64(u))
	}
	return values, true, nil
}

func absurdFile(dir, name, text string) error {
	return fmt.Errorf("%w: %s has %.80q", errAbsurd, filepath.Join(dir, name), text)
}

// cpuList counts the CPUs of a list such as 0-3,7: cpuset(7). It is 0 for an
// empty one.
func cpuList(list string) (n int, err error) {
	if list == "" {
		return 0, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, err1 := strconv.ParseUint(first, 10, 16)
		b, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil || b < a {
			return 0, fmt.Errorf("%w: CPU list %.80q", errAbsurd, list)
		}
		n += int(b-a) + 1
	}
	return n, nil
}
