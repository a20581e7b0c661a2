package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kecho/channel"
	"kecho/resmgr"
)

func lease(fence int) resmgr.Record {
	return resmgr.Record{
		Kind: resmgr.RecordLease, Fence: resmgr.Fence(fence), Ask: channel.ID{Source: 7, Seq: uint64(fence)}, Request: fmt.Sprint("r", fence),
		Holder: "h", Amounts: resmgr.Amounts{{Kind: resmgr.CPU, Quantity: 1500}, {Kind: "gpu", Quantity: 1}}, TTL: time.Minute,
	}
}

func entries(manager string, records ...resmgr.Record) (all []resmgr.Entry) {
	for _, r := range records {
		all = append(all, resmgr.Entry{Manager: manager, Record: r})
	}
	return all
}

func open(t testing.TB, path string) *Journal {
	t.Helper()
	j, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// TestJournalIsTheMemoryOne: after any writes, and a restart, it holds what the
// journal in memory does.
func TestJournalIsTheMemoryOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	j := open(t, path)
	var memory resmgr.MemoryJournal
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		var batch []resmgr.Entry
		for range r.IntN(5) + 1 {
			rec := lease(r.IntN(30) + 1)
			rec.Kind = resmgr.RecordKind(r.IntN(5) + 1)
			rec.TTL = time.Duration(r.IntN(9)+1) * time.Second
			batch = append(batch, entries([]string{"a", "b"}[r.IntN(2)], rec)...)
		}
		if err := errors.Join(j.Write(batch), memory.Write(batch)); err != nil {
			t.Fatal(err)
		}
		if r.IntN(10) == 0 {
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j = open(t, path)
		}
		for _, manager := range []string{"a", "b", "never"} {
			got, err := j.Recover(manager)
			want, _ := memory.Recover(manager)
			if diff := cmp.Diff(want.Leases, got.Leases); err != nil || got.Fence != want.Fence || got.Behind != want.Behind || len(got.Leases)+len(want.Leases) > 0 && diff != "" {
				t.Fatalf("%s: %+v, %v, want %+v", manager, got, err, want)
			}
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "leases.db")
	open(t, path)
	for want, path := range map[string]string{
		"another process has it open": path,
		"no such file or directory":   filepath.Join(dir, "no", "leases.db"),
		"is a directory":              dir,
	} {
		if _, err := Open(Config{Path: path, LockWait: time.Millisecond}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	for name, content := range map[string]string{"text": strings.Repeat("not a journal\n", 1000), "short": "x"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Path: path}); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "then remove the file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFull: what does not fit is refused, nothing of it is there, and with more
// room it goes on.
func TestFull(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "leases.db"), MaxSize: 128 << 10}
	j, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for err == nil && n < 10_000 {
		n++
		err = j.Write(entries("a", lease(n)))
	}
	had, wrong := j.Recover("a")
	if err == nil || errors.Is(err, errDamaged) || wrong != nil || len(had.Leases) != n-1 || had.Fence != resmgr.Fence(n-1) {
		t.Fatalf("%d leases of %d, fence %d, %v, %v", len(had.Leases), n-1, had.Fence, err, wrong)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, cfg.Path)
	err = j.Write(entries("a", lease(n)))
	if had, wrong := j.Recover("a"); err != nil || wrong != nil || len(had.Leases) != n {
		t.Errorf("with room there are %d leases of %d, %v, %v", len(had.Leases), n, err, wrong)
	}
}

// filled is a journal's bytes with n leases.
func filled(t *testing.T, n int) []byte {
	path := filepath.Join(t.TempDir(), "leases.db")
	j := open(t, path)
	for f := range n {
		if err := j.Write(entries("a", lease(f+1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// read opens and reads what is in content.
func read(t *testing.T, content []byte) (resmgr.Recovered, error) {
	path := filepath.Join(t.TempDir(), "leases.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := Open(Config{Path: path})
	if err != nil {
		return resmgr.Recovered{}, err
	}
	defer j.Close()
	return j.Recover("a")
}

// TestCut: a file that was cut anywhere is found, or whole.
func TestCut(t *testing.T) {
	whole := filled(t, 100)
	found := 0
	for size := 0; size <= len(whole); size += 2048 {
		had, err := read(t, whole[:size])
		switch {
		case err != nil:
			if !errors.Is(err, errDamaged) {
				t.Errorf("%d of %d bytes: %v", size, len(whole), err)
			}
			found++
		case size > 0 && len(had.Leases) != 100:
			t.Errorf("%d of %d bytes: %d leases", size, len(whole), len(had.Leases))
		}
	}
	if found < 5 {
		t.Errorf("of %d bytes only %d cuts were found", len(whole), found)
	}
}

// TestDamage: a byte that is not what it was is found, or changes nothing but
// that the last write is missing.
func TestDamage(t *testing.T) {
	whole := filled(t, 100)
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 300 {
		broken := bytes.Clone(whole)
		at := r.IntN(len(broken))
		broken[at] ^= byte(1 << r.IntN(8))
		had, err := read(t, broken)
		if err != nil {
			found++
			continue
		}
		if n := len(had.Leases); n != int(had.Fence) || n < 99 {
			t.Errorf("byte %d: %d leases, fence %d", at, n, had.Fence)
		}
		for i, l := range had.Leases {
			if diff := cmp.Diff(lease(i+1), l); diff != "" {
				t.Errorf("byte %d: %s", at, diff)
			}
		}
	}
	if found < 5 { // most bytes are of free pages, more or fewer from run to run
		t.Errorf("only %d of 300 were found", found)
	}
}

// TestKilled kills a process that writes at any moment: what it was told is
// written is there.
func TestKilled(t *testing.T) {
	if path := os.Getenv("KECHO_JOURNAL_CHILD"); path != "" {
		writeForEver(path)
	}
	r := rand.New(rand.NewPCG(1, 3))
	path := filepath.Join(t.TempDir(), "leases.db")
	last := 0
	for range 6 {
		child := exec.Command(os.Args[0], "-test.run=TestKilled$")
		child.Env = append(os.Environ(), "KECHO_JOURNAL_CHILD="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := r.IntN(60) + 1; n > 0 && lines.Scan(); n-- {
			last, _ = strconv.Atoi(lines.Text())
		}
		child.Process.Kill()
		for lines.Scan() { // what it said before it died
			last, _ = strconv.Atoi(lines.Text())
		}
		child.Wait()
		j := open(t, path)
		had, err := j.Recover("a")
		if err != nil || last == 0 || int(had.Fence) < last || len(had.Leases) < last {
			t.Fatalf("told of %d; fence %d, %d leases, %v", last, had.Fence, len(had.Leases), err)
		}
		j.Close()
	}
}

// writeForEver writes leases and prints the fence of each that is written.
func writeForEver(path string) {
	j, err := Open(Config{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	had, err := j.Recover("a")
	for f := int(had.Fence) + 1; err == nil; f += 3 {
		if err = j.Write(entries("a", lease(f), lease(f+1), lease(f+2))); err == nil {
			fmt.Println(f + 2)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
