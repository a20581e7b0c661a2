package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// builds is where what the tests build goes; TestMain removes it.
var builds string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kecho-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	builds = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// kecho is the path of the binary under test, built at its first use, with the
// race detector when the tests themselves have it.
func kecho(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes: left out with -short")
	}
	file, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

var buildOnce = sync.OnceValues(func() (string, error) {
	file := filepath.Join(builds, "kecho")
	args := []string{"build", "-o", file}
	if raceDetector {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, modulePath+"/cmd/kecho")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build kecho: %w\n%s", err, out)
	}
	return file, nil
})

// need skips the test when something it depends on is missing, or fails it
// under CI, where all of it has to be there.
func need(t testing.TB, what string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case testing.Short():
		t.Skip("starts processes: left out with -short")
	case os.Getenv("KECHO_CI") != "":
		t.Fatalf("needs %s: %v", what, err)
	default:
		t.Skipf("needs %s: %v", what, err)
	}
}

// tool is the path of a program, also where only root usually looks.
func tool(name string) (string, error) {
	file, err := exec.LookPath(name)
	if err == nil {
		return file, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return file, nil
		}
	}
	return "", err
}

// needTool is the path of a program of the Debian package pkg.
func needTool(t testing.TB, name, pkg string) string {
	t.Helper()
	file, err := tool(name)
	need(t, fmt.Sprintf("%s (apt-get install %s)", name, pkg), err)
	return file
}

// needRoot is for what changes the machine's network.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		need(t, "root", errors.New("network namespaces are made by root"))
	}
}
