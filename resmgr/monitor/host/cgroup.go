package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// groups are the control groups that this process is in.
type groups struct {
	proc, sys string

	text                       string // of /proc/self/cgroup, when the rest was found
	cpu, usage, cpuset, memory hierarchy
}

// hierarchy is the way from the process's own group of one controller up to
// the highest that can be seen from here.
type hierarchy struct {
	v2   bool
	path string   // of the own group, below the mount
	dirs []string // the own group first; none: there is no such controller
}

// mount is one line of mountinfo.
type mount struct {
	root, point, kind, options string
}

// find looks where the process is; cheap when it is still where it was. It is
// errNoValue where there are no control groups.
func (g *groups) find() error {
	text, err := os.ReadFile(filepath.Join(g.proc, "self/cgroup"))
	if errors.Is(err, fs.ErrNotExist) {
		return errNoValue
	} else if err != nil {
		return err
	}
	if string(text) == g.text {
		return nil
	}
	info, err := os.ReadFile(filepath.Join(g.proc, "self/mountinfo"))
	if err != nil {
		return err
	}
	mounts := parseMounts(string(info))
	for controller, h := range map[string]*hierarchy{
		"cpu": &g.cpu, "cpuacct": &g.usage, "cpuset": &g.cpuset, "memory": &g.memory,
	} {
		*h = g.hierarchy(controller, string(text), mounts)
	}
	g.text = string(text)
	return nil
}

// parseMounts has the control groups' lines of mountinfo: proc_pid_mountinfo(5).
func parseMounts(info string) []mount {
	var mounts []mount
	for line := range strings.Lines(info) {
		left, right, ok := strings.Cut(line, " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if !ok || len(before) < 5 || len(after) < 3 || !strings.HasPrefix(after[0], "cgroup") {
			continue
		}
		mounts = append(mounts, mount{root: unescape(before[3]), point: unescape(before[4]), kind: after[0], options: after[2]})
	}
	return mounts
}

// unescape undoes what mountinfo does to spaces, tabs, line ends and
// backslashes.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// hierarchy finds a controller's groups: a line of its own is version 1, and
// else it belongs to version 2's: cgroups(7).
func (g *groups) hierarchy(controller, text string, mounts []mount) hierarchy {
	unified := ""
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		if slices.Contains(strings.Split(fields[1], ","), controller) {
			return g.within(fields[2], false, mounts, func(m mount) bool {
				return m.kind == "cgroup" && slices.Contains(strings.Split(m.options, ","), controller)
			})
		}
		if fields[0] == "0" && fields[1] == "" {
			unified = fields[2]
		}
	}
	return g.within(unified, true, mounts, func(m mount) bool { return m.kind == "cgroup2" })
}

// within is the way up from the group at path, inside a mount of the kind. A
// mount that shows only what is below another group is its own container's.
func (g *groups) within(path string, v2 bool, mounts []mount, kind func(mount) bool) hierarchy {
	if path == "" {
		return hierarchy{}
	}
	var other *mount
	for _, m := range mounts {
		if !kind(m) {
			continue
		}
		if below, ok := strings.CutPrefix(path+"/", strings.TrimSuffix(m.root, "/")+"/"); ok {
			return g.up(m, below, v2)
		}
		if other == nil {
			other = &m
		}
	}
	if other == nil {
		return hierarchy{}
	}
	return g.up(*other, "", v2) // the path is one of another name space
}

func (g *groups) up(m mount, below string, v2 bool) hierarchy {
	top := m.point
	if inSys, ok := strings.CutPrefix(m.point+"/", "/sys/"); ok {
		top = filepath.Join(g.sys, inSys)
	}
	// Cleaned as an absolute path, "../.." goes no higher than the mount.
	h := hierarchy{v2: v2, path: filepath.Clean("/" + below)}
	for p := h.path; ; p = filepath.Dir(p) {
		h.dirs = append(h.dirs, filepath.Join(top, p))
		if p == "/" {
			return h
		}
	}
}

// sameGroup refuses figures of one group against limits of another, which
// version 1 allows.
func sameGroup(a, b hierarchy) error {
	if a.path != b.path || len(a.dirs) != len(b.dirs) {
		return fmt.Errorf("the controllers have this process in different groups, %q and %q", a.path, b.path)
	}
	return nil
}
