package agent

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	open := func() (net.Listener, error) { return openSocket(systemNetwork{}, path) }
	l, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("mode %v, want %o (%v)", info.Mode(), socketMode, err)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "another agent answers") {
		t.Errorf("a second listener: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close() // as a killed agent leaves it
	if l, err = open(); err != nil {
		t.Fatalf("where an agent was killed: %v", err)
	}
	l.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there after Close: %v", err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil {
		t.Error("a file was taken for a socket")
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("a file that is no socket was replaced")
	}
	if _, err := openSocket(systemNetwork{}, "/nowhere/s"); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("no directory: %v", err)
	}
}

// deniedNetwork is that of a user who may not make the socket.
type deniedNetwork struct{ Network }

func (deniedNetwork) ListenSocket(string) (net.Listener, error) { return nil, syscall.EACCES }

// TestSocketDenied holds that the error says what to do about it.
func TestSocketDenied(t *testing.T) {
	_, err := openSocket(deniedNetwork{}, "/run/api.sock")
	if err == nil || !strings.HasPrefix(err.Error(), "--socket /run/api.sock: ") || !strings.Contains(err.Error(), "choose a directory") {
		t.Errorf("error %v", err)
	}
}
