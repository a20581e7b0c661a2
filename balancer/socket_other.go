//go:build !unix

package balancer

import "net"

// socket stands for what cannot be waited for without a buffer here.
type socket struct{ raw any }

func (*socket) init(*laneConn, net.Conn) {}

func (*socket) read(bool) (int, error) { return 0, net.ErrClosed }
