package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// socketMode lets the agent's user and group ask, and nobody else: there is no
// other check on the socket.
const socketMode = 0o660

// listenSocket makes the Unix socket at path. One that an agent left behind
// that was killed is replaced; anything else there is left alone.
func listenSocket(path string) (net.Listener, error) {
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && abandoned(path) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		l, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// abandoned reports whether path is a socket on which nobody listens.
func abandoned(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// openSocket is listenSocket of the network, and says in words what is wrong.
func openSocket(network Network, path string) (net.Listener, error) {
	l, err := network.ListenSocket(path)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--socket %s: another agent answers there, or it is no socket; choose another path: %w", path, err)
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("--socket %s: make its directory first, such as with RuntimeDirectory= of systemd: %w", path, err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("--socket %s: this user may not make it there; choose a directory of the user's own, such as RuntimeDirectory= of systemd makes: %w", path, err)
	}
	return nil, fmt.Errorf("--socket %s: %w", path, err)
}
