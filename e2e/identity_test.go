package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"
)

// A name belongs to one node: the second one says so and ends, and the first
// one goes on.
func TestTakenNameEndsTheSecond(t *testing.T) {
	nodes := cluster(t, loopbacksFor(2))
	impostor := newNode(t, loopback(), nodes[1].name)
	impostor.join = []machine{nodes[0].machine}
	impostor.start(t)
	if code := impostor.agent.wait(t, startPatience); code != 1 && code != 2 {
		t.Errorf("the second %s ended with exit code %d", impostor.name, code)
	}
	if out := impostor.agent.out.tail(5); !strings.Contains(out, impostor.name) || !strings.Contains(out, "--name") {
		t.Errorf("its last words do not say which name is taken and what to change:\n%s", out)
	}
	joined(t, nodes)
}

// Who has another key is not let in and ends with what to do about it, rather
// than serve as if it were a member.
func TestOtherKeyStaysOutside(t *testing.T) {
	machines := loopbacksFor(3)
	nodes := cluster(t, machines[:2], "--key", keyFile(t))
	stranger := newNode(t, machines[2], "stranger")
	stranger.join = machines[:2]
	stranger.start(t, "--key", keyFile(t))
	if code := stranger.agent.wait(t, startPatience); code != 1 && code != 2 {
		t.Errorf("the stranger ended with exit code %d", code)
	}
	if out := stranger.agent.out.tail(5); !strings.Contains(out, "key") {
		t.Errorf("its last words do not say that the key is another one:\n%s", out)
	}
	for _, n := range nodes {
		if m, err := n.member(stranger.name); err == nil {
			t.Errorf("%s lists %+v", n.name, m)
		}
	}
	joined(t, nodes)
}

// keyFile holds a fresh gossip key.
func keyFile(t testing.TB) string {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	file := filepath.Join(t.TempDir(), "key")
	write(t, file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
	return file
}
