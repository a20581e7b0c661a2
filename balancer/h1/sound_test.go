//go:build unix

package h1

import (
	"net"
	"testing"
	"time"
)

// TestPeek is on real sockets: those of a bubble cannot be looked into.
func TestPeek(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	cn := newConn(nil, near)
	if !cn.sound() {
		t.Error("an open connection that is quiet is not sound")
	}
	until := func(what string, is func() bool) {
		for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	if _, err := far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	until("a word that nobody asked for is not seen", func() bool { return !cn.sound() })
	if _, err := near.Read(make([]byte, 1)); err != nil || !cn.sound() {
		t.Error("it was taken by the look, or the connection is not sound after it: ", err)
	}
	_ = far.Close()
	until("the end is not seen", func() bool { return !cn.sound() })
}
